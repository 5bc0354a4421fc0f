// The real disk against the contract in core/log/disk.ts, in a directory of its own; the lock with real processes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type DiskError, DiskError as DiskErrorClass, type DiskErrorKind } from '../../core/log/disk.ts';
import { FileDisk } from './file-disk.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'rosettamq-disk-'));
const disk = new FileDisk(path.join(root, 'a', 'b'));
afterAll(async () => {
  await disk.stop();
  fs.rmSync(root, { recursive: true });
});

function kindOf(action: () => unknown): DiskErrorKind {
  try {
    action();
  } catch (error) {
    if (error instanceof DiskErrorClass) return error.kind;
    throw error;
  }
  throw new Error('it did not fail');
}

const synced = (file: { syncAsync(done: (error: DiskError | null) => void): void }) =>
  new Promise<DiskError | null>((resolve) => file.syncAsync(resolve));

describe('files', () => {
  it('writes, reads back, and reads short only at the end', () => {
    const file = disk.open('x/y/one', 'create');
    file.write(Buffer.from('..hello world..'), 2, 11, 5);
    expect(file.size()).toBe(16);
    const target = Buffer.alloc(20, 0x7e);
    expect(file.read(target, 1, 11, 5)).toBe(11);
    expect(target.toString('latin1', 0, 13)).toBe('~hello world~');
    expect(file.read(target, 0, 20, 10)).toBe(6);
    expect(file.read(target, 0, 5, 16)).toBe(0);
    file.sync();
    file.close();
    expect(disk.list('x/y')).toEqual(['one']);
    expect(disk.open('x/y/one', 'create').size()).toBe(0);
  });

  it('opens for reading and writing only what is there', () => {
    expect(kindOf(() => disk.open('absent', 'read'))).toBe('missing');
    expect(kindOf(() => disk.open('absent', 'write'))).toBe('missing');
    disk.open('there', 'create').close();
    const reader = disk.open('there', 'read');
    expect(kindOf(() => reader.write(Buffer.from('x'), 0, 1, 0))).toBe('io');
    reader.close();
  });

  it('writes zeros elsewhere, and waits for them where they must be there', async () => {
    const file = disk.open('zeros', 'create');
    file.write(Buffer.alloc(3 * 1024 * 1024, 0x7e), 0, 3 * 1024 * 1024, 0);
    const heard: (string | undefined)[] = [];
    file.zeroAsync(100, 2 * 1024 * 1024, (error) => heard.push(error?.kind));
    expect(() => file.zeroAsync(0, 1, () => undefined)).toThrow('one place at a time');
    file.awaitZeros();
    const target = Buffer.alloc(3 * 1024 * 1024);
    file.read(target, 0, target.length, 0);
    expect(target.subarray(0, 100).every((byte) => byte === 0x7e)).toBe(true);
    expect(target.subarray(100, 2 * 1024 * 1024).every((byte) => byte === 0)).toBe(true);
    expect(target.subarray(2 * 1024 * 1024).every((byte) => byte === 0x7e)).toBe(true);
    expect(heard).toEqual([]);
    await expect.poll(() => heard).toEqual([undefined]);
    file.zeroAsync(0, 100, (error) => heard.push(error?.kind));
    // The descriptor lives until it is done.
    file.close();
    await expect.poll(() => heard).toEqual([undefined, undefined]);
    const reader = disk.open('zeros', 'read');
    reader.zeroAsync(0, 100, (error) => heard.push(error?.kind));
    await expect.poll(() => heard).toEqual([undefined, undefined, 'io']);
    reader.close();
  });

  it('reads off the loop', async () => {
    const file = disk.open('async', 'create');
    file.write(Buffer.from('0123456789'), 0, 10, 0);
    const target = Buffer.alloc(16);
    const bytes = await new Promise((resolve) => file.readAsync(target, 2, 14, 4, (_, n) => resolve(n)));
    expect([bytes, target.toString('latin1', 2, 8)]).toEqual([6, '456789']);
  });

  it('renames over, removes, lists sorted, and an absent directory is empty', () => {
    disk.open('m/b', 'create').close();
    disk.open('m/a', 'create').close();
    expect(disk.list('m')).toEqual(['a', 'b']);
    disk.rename('m/a', 'm/b');
    disk.syncDirectory('m');
    expect(disk.list('m')).toEqual(['b']);
    disk.remove('m/b');
    expect([disk.exists('m/b'), disk.exists('m')]).toEqual([false, true]);
    disk.remove('m');
    expect(disk.list('m')).toEqual([]);
    expect(kindOf(() => disk.remove('m'))).toBe('missing');
    expect(kindOf(() => disk.syncDirectory('m'))).toBe('missing');
    disk.makeDirectory('p/q');
    expect(disk.exists('p/q')).toBe(true);
  });

  it('stays in its directory', () => {
    expect(() => disk.open('../../out', 'create')).toThrow(/stays in the data directory/);
    expect(() => disk.remove('x/../../../out')).toThrow(/stays in the data directory/);
  });

  it('keeps what holds credentials from others', () => {
    disk.open('secret/file', 'create').close();
    const mode = (name: string): number => fs.statSync(path.join(disk.root, name)).mode & 0o777;
    expect([mode(''), mode('secret'), mode('secret/file')]).toEqual([0o700, 0o700, 0o600]);
  });

  it('tells free bytes', () => {
    const stats = fs.statfsSync(root);
    expect(disk.freeBytes()).toBeGreaterThan(0);
    expect(disk.freeBytes()).toBeLessThanOrEqual(stats.blocks * stats.bsize);
  });

  it.skipIf(!fs.existsSync('/dev/full'))('calls a full disk full', () => {
    const devices = new FileDisk('/dev');
    const file = devices.open('full', 'write');
    expect(kindOf(() => file.write(Buffer.from('x'), 0, 1, 0))).toBe('full');
    file.close();
  });
});

describe('syncs on their own thread', () => {
  it('answers every request in order, more than the ring holds', async () => {
    const file = disk.open('synced', 'create');
    const order: number[] = [];
    const all = Array.from({ length: 1_000 }, (_, i) => synced(file).then(() => order.push(i)));
    await Promise.all(all);
    expect(order).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
  });

  it('passes on the error', async () => {
    // A file of /proc cannot be synced: EINVAL, which is neither full nor missing.
    const pipes = new FileDisk('/proc/self');
    const file = pipes.open('status', 'read');
    const error = await synced(file);
    file.close();
    await pipes.stop();
    expect(error?.kind).toBe('io');
    expect(error?.message).toContain('EINVAL');
  });

  it('keeps the descriptor until the answer, though the file is closed', async () => {
    const file = disk.open('closing', 'create');
    const before = fs.readdirSync('/proc/self/fd').length;
    const answer = synced(file);
    file.close();
    const during = fs.readdirSync('/proc/self/fd').length;
    expect(await answer).toBeNull();
    expect(during).toBe(before);
    await expect.poll(() => fs.readdirSync('/proc/self/fd').length).toBe(before - 1);
  });

  it('does not queue behind the thread pool', async () => {
    const { pbkdf2 } = await import('node:crypto');
    const file = disk.open('beside', 'create');
    await synced(file);
    let hashing = 64;
    for (let i = 0; i < 64; i++) pbkdf2('p', 's', 200_000, 32, 'sha256', () => hashing--);
    await synced(file);
    expect(hashing).toBeGreaterThan(32);
    await new Promise<void>((resolve) => {
      const look = setInterval(() => {
        if (hashing > 0) return;
        clearInterval(look);
        resolve();
      }, 10);
    });
  });
});

describe('the lock', () => {
  const holder = `
    import { FileDisk } from ${JSON.stringify(new URL('./file-disk.ts', import.meta.url).href)};
    const disk = new FileDisk(process.argv[1]);
    try { disk.lock(); console.log('held'); setInterval(() => {}, 1000); }
    catch (error) { console.log(error.kind + ': ' + error.message); }
  `;
  async function hold(directory: string) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', holder, directory]);
    const [first] = (await once(child.stdout, 'data')) as [Buffer];
    return { child, said: String(first).trim() };
  }

  it('is held by one process, told to the other, and gone when the holder is killed', async () => {
    const directory = path.join(root, 'locked');
    const first = await hold(directory);
    expect(first.said).toBe('held');
    const second = await hold(directory);
    expect(second.said).toMatch(new RegExp(`^locked: .*locked is in use by process ${first.child.pid} on `));
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    const third = await hold(directory);
    expect(third.said).toBe('held');
    third.child.kill('SIGKILL');
    await once(third.child, 'exit');
  });

  it('is held once within a process too, and can be given back', () => {
    const directory = path.join(root, 'own');
    const one = new FileDisk(directory);
    const two = new FileDisk(directory);
    one.lock();
    expect(kindOf(() => two.lock())).toBe('locked');
    one.unlock();
    two.lock();
    two.unlock();
    expect(fs.readdirSync(directory)).toEqual(['lock']);
  });
});
