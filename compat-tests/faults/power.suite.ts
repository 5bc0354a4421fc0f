// Power cuts: the data directory is on ext4 in an image file; at a random instant under load the broker is stopped
// (SIGSTOP), the image is copied, and the load goes on. A second broker starts on the copy, which holds what had reached
// the disk and nothing else. All that clients had been told before the cut must be there. 5 cuts, 200 with --long.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Driver } from '../drivers/driver.ts';
import { Product } from '../harness/product.ts';
import { seeded } from '../harness/random.ts';
import { fresh } from '../harness/suite.ts';
import { after, before, test } from '../harness/test.ts';
import { assertFaultless, Clients, Load, QUEUES } from './load.ts';
import { Mounted } from './loop-image.ts';

const CUTS = process.env.COMPAT_LONG ? 200 : 5;
const CUTS_PER_TOPIC = 10;
const IMAGE_MEGABYTES = 1_024;
const LOAD_MS = [150, 1_500] as const;

const { random, seed } = seeded();
let disk: Mounted;
let product: Product;
let clients: Clients;

before(async () => {
  disk = await Mounted.ext4(IMAGE_MEGABYTES);
  product = await Product.start('power', { dataDir: `${disk.directory}/data`, flush: 'sync' });
  clients = await Clients.start(product.endpoints);
});
after(async () => {
  await clients?.stop();
  if (product && !product.server.exit) await product.stop();
  await disk?.remove();
});

test(`${CUTS} power cuts under mixed load`, async (t) => {
  t.diagnostic(`seed ${seed}`);
  let load: Load | null = null;
  let known = 0;
  for (let cut = 0; cut < CUTS; cut++) {
    if (!load || cut % CUTS_PER_TOPIC === 0) {
      if (load) await product.deleteTopic(load.topic);
      load = new Load(clients, fresh('load'), random);
      await product.createTopic(load.topic, QUEUES);
    }
    load.start();
    await sleep(LOAD_MS[0] + random() * (LOAD_MS[1] - LOAD_MS[0]));
    const knownSends = load.sends.length;
    product.server.signal('SIGSTOP');
    const copy = await disk.copy();
    product.server.signal('SIGCONT');
    await load.stop();
    await copy.mount();
    const revived = await Product.start('revived', { dataDir: `${copy.directory}/data`, flush: 'sync' });
    const reader = await Driver.start('java', revived.endpoints);
    try {
      const found = await load.check(reader, knownSends);
      assertFaultless(found.findings, `cut ${cut} on ${load.topic}, seed ${seed}`);
      known += knownSends;
    } finally {
      await reader.stop();
      assert.deepEqual(await revived.stop(), { code: 0, signal: null });
      await copy.remove();
    }
    assertFaultless((await load.check(clients.get('java'))).findings, `the broker that was not cut, after cut ${cut}`);
    if ((cut + 1) % 10 === 0) console.log(`    cut ${cut + 1} of ${CUTS}`);
  }
  assert.ok(known > 0);
  t.diagnostic(`${known} sends were known before their cut`);
});
