// The method of the power cuts, judged by itself: a copied image that kept unsynced data could not find a missing sync.
import assert from 'node:assert/strict';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { test } from '../harness/test.ts';
import { Mounted } from './loop-image.ts';

test('the image holds what was synced and not what was only written', async () => {
  const probe = await Mounted.ext4(32);
  const write = (name: string, isSynced: boolean): void => {
    const file = openSync(`${probe.directory}/${name}`, 'w');
    writeSync(file, name.repeat(1_000));
    if (isSynced) fsyncSync(file);
    closeSync(file);
  };
  write('synced', true);
  write('unsynced', false);
  const copy = await probe.copied();
  const kept = readFileSync(`${copy.directory}/synced`, 'utf8');
  const isThere = existsSync(`${copy.directory}/unsynced`) && readFileSync(`${copy.directory}/unsynced`).length > 0;
  await copy.remove();
  await probe.remove();
  assert.equal(kept, 'synced'.repeat(1_000));
  assert.equal(isThere, false, 'a method that keeps unsynced data could not find a missing sync');
});
