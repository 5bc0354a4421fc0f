// The simulated disk: what it may lose, what it must keep, and that it keeps nothing too much. Each promise is tried over
// many seeds, both ways: every outcome it allows comes up, and none that it forbids.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DiskError, type DiskFile } from '../log/disk.ts';
import { SimClock } from './sim-clock.ts';
import { SimCrash, SimDisk } from './sim-disk.ts';
import { SimRandom } from './sim-random.ts';

const SECTOR = 512;
const PAGE = 4096;

const text = (disk: SimDisk, path: string): string | null => (disk.exists(path) ? disk.bytesOf(path).toString() : null);

function put(file: DiskFile, content: string | Buffer, position = 0): void {
  const bytes = Buffer.from(content as string);
  file.write(bytes, 0, bytes.length, position);
}

/** A durable file of that content. */
function stored(disk: SimDisk, path: string, content: string | Buffer): DiskFile {
  const file = disk.open(path, 'create');
  put(file, content);
  file.sync();
  disk.syncDirectory('');
  const slash = path.lastIndexOf('/');
  if (slash > 0) disk.syncDirectory(path.slice(0, slash));
  return file;
}

/** All that power cuts make of this state. */
function outcomes<T>(disk: SimDisk, look: (left: SimDisk) => T, seeds = 300): Set<T> {
  const seen = new Set<T>();
  for (let seed = 0; seed < seeds; seed++) seen.add(look(disk.crash(new SimRandom(seed))));
  return seen;
}

describe('files', () => {
  it('hold what was written, with zeros between', () => {
    const disk = new SimDisk();
    const file = disk.open('a/b', 'create');
    put(file, 'begin', 0);
    put(file, 'end', 3 * PAGE - 2);
    expect(file.size()).toBe(3 * PAGE + 1);
    const bytes = Buffer.alloc(20, 0xff);
    expect(file.read(bytes, 2, 8, 3)).toBe(8);
    expect(bytes.toString('latin1')).toBe('\xff\xffin' + '\0'.repeat(6) + '\xff'.repeat(10));
    expect(file.read(bytes, 0, 20, 3 * PAGE - 2)).toBe(3);
    expect(file.read(bytes, 0, 20, 3 * PAGE + 1)).toBe(0);
    expect(disk.list('')).toEqual(['a']);
    expect([disk.list('a'), disk.list('none'), disk.exists('a'), disk.exists('a/b')]).toEqual([['b'], [], true, true]);
    expect(() => disk.open('none', 'write')).toThrow(expect.objectContaining({ kind: 'missing' }));
    expect(() => put(disk.open('a/b', 'read'), 'x')).toThrow(DiskError);
  });

  it('are as a plain buffer is, whatever is written, cut and copied', () => {
    const step = fc.record({
      do: fc.constantFrom('write' as const, 'zeros' as const, 'cut' as const, 'copy' as const, 'sync' as const),
      position: fc.nat(3 * PAGE),
      length: fc.oneof(fc.nat(20), fc.nat(2 * PAGE), fc.constant(PAGE)),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let disk = new SimDisk();
        let file = disk.open('f', 'create');
        let model = Buffer.alloc(0);
        const copies: { disk: SimDisk; content: Buffer }[] = [];
        steps.forEach((move, n) => {
          if (move.do === 'cut') {
            file.truncate(move.position);
            model = Buffer.concat([model, Buffer.alloc(move.position)]).subarray(0, move.position);
          } else if (move.do === 'copy') {
            copies.push({ disk, content: Buffer.from(model) });
            disk = disk.kill();
            file = disk.open('f', 'write');
          } else if (move.do === 'sync') {
            file.sync();
          } else {
            const bytes = Buffer.alloc(move.length, move.do === 'zeros' ? 0 : n + 1);
            file.write(bytes, 0, bytes.length, move.position);
            const grown = move.length === 0 ? 0 : Math.max(0, move.position + move.length - model.length);
            model = Buffer.concat([model, Buffer.alloc(grown)]);
            if (move.length > 0) bytes.copy(model, move.position);
          }
          expect(disk.bytesOf('f').equals(model)).toBe(true);
          expect(disk.usedBytes).toBeLessThanOrEqual(Math.ceil(model.length / PAGE) * PAGE);
        });
        for (const copy of copies) expect(copy.disk.bytesOf('f').equals(copy.content)).toBe(true);
      }),
    );
  });

  it('of zeros cost no memory', () => {
    const disk = new SimDisk();
    const zeros = Buffer.alloc(1 << 20);
    const before = process.memoryUsage();
    for (let n = 0; n < 8; n++) {
      const file = disk.open(`f${n}`, 'create');
      for (let at = 0; at < 64; at++) file.write(zeros, 0, zeros.length, at * zeros.length);
      file.sync();
    }
    const after = process.memoryUsage();
    const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
    expect(disk.usedBytes).toBe(8 * 64 * zeros.length);
    expect(grown).toBeLessThan(64 << 20);
  });
});

describe('a power cut', () => {
  it('keeps what was synced and loses, keeps or tears what was not, sector by sector', () => {
    const disk = new SimDisk();
    const file = stored(disk, 'f', 'o'.repeat(4 * SECTOR));
    put(file, 'n'.repeat(3 * SECTOR), SECTOR / 2);
    const seen = outcomes(disk, (left) => {
      const content = text(left, 'f')!;
      // Sectors 0 and 3 are written in half; within a sector, all of the write or nothing.
      const sectors = [0, 1, 2, 3].map((n) => content.slice(n * SECTOR, (n + 1) * SECTOR));
      const half = SECTOR / 2;
      const forms = [
        ['o'.repeat(SECTOR), 'o'.repeat(half) + 'n'.repeat(half)],
        ['o'.repeat(SECTOR), 'n'.repeat(SECTOR)],
        ['o'.repeat(SECTOR), 'n'.repeat(SECTOR)],
        ['o'.repeat(SECTOR), 'n'.repeat(half) + 'o'.repeat(half)],
      ];
      return sectors.map((sector, n) => forms[n]!.indexOf(sector)).join('');
    });
    expect([...seen].every((form) => /^[01]{4}$/.test(form))).toBe(true);
    expect(seen.size).toBe(16);
    file.sync();
    expect([...outcomes(disk, (left) => text(left, 'f'))]).toEqual([text(disk, 'f')]);
  });

  it('reorders writes, but no sector shows a later one without those before it', () => {
    const disk = new SimDisk();
    const file = stored(disk, 'f', '.'.repeat(2 * SECTOR));
    put(file, 'A', 0);
    put(file, 'B', SECTOR);
    put(file, 'C', 1);
    const seen = outcomes(disk, (left) => {
      const content = text(left, 'f')!;
      return content.slice(0, 2) + content[SECTOR];
    });
    expect([...seen].sort()).toEqual(['...', '..B', 'A..', 'A.B', 'AC.', 'ACB']);
  });

  it('may leave any version of a sector that was written over and over', () => {
    const disk = new SimDisk();
    const file = stored(disk, 'f', '0');
    for (let n = 1; n <= 8; n++) put(file, String(n));
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 400; seed++) {
      const content = text(disk.crash(new SimRandom(seed)), 'f')!;
      counts.set(content, (counts.get(content) ?? 0) + 1);
    }
    expect([...counts.keys()].sort().join('')).toBe('012345678');
    // Nothing lost and everything lost are common.
    expect(counts.get('0')).toBeGreaterThan(50);
    expect(counts.get('8')).toBeGreaterThan(50);
  });

  it('may leave a size that no bytes follow', () => {
    const disk = new SimDisk();
    const file = stored(disk, 'f', 'x');
    put(file, 'y'.repeat(SECTOR), SECTOR);
    const seen = outcomes(disk, (left) => `${left.bytesOf('f').length} ${left.bytesOf('f').includes('y')}`);
    expect([...seen].sort()).toEqual(['1 false', '1024 false', '1024 true']);
  });

  it('loses a cut or keeps it, and what was written beyond it only with it', () => {
    const disk = new SimDisk();
    const file = stored(disk, 'f', 'o'.repeat(3 * SECTOR));
    file.truncate(SECTOR);
    put(file, 'n', 2 * SECTOR);
    const seen = outcomes(disk, (left) => {
      const content = text(left, 'f')!;
      return `${content.length}${content[2 * SECTOR] ?? ''}`;
    });
    for (const form of [`${3 * SECTOR}o`, `${SECTOR}`, `${2 * SECTOR + 1}n`]) expect(seen).toContain(form);
    expect(seen).not.toContain(`${3 * SECTOR}n`);
  });

  it('keeps names in order, and only those that were synced for sure', () => {
    const disk = new SimDisk();
    stored(disk, 'CURRENT', 'old');
    const next = disk.open('next', 'create');
    put(next, 'new');
    next.sync();
    disk.rename('next', 'CURRENT');
    disk.open('later', 'create');
    const look = (left: SimDisk): string => `${left.list('').join(' ')} = ${text(left, 'CURRENT')}`;
    expect([...outcomes(disk, look)].sort()).toEqual([
      'CURRENT = new',
      'CURRENT = old',
      'CURRENT later = new',
      'CURRENT next = old',
    ]);
    disk.syncDirectory('.');
    expect([...outcomes(disk, look)]).toEqual(['CURRENT later = new']);
    disk.remove('later');
    expect([...outcomes(disk, look)].sort()).toEqual(['CURRENT = new', 'CURRENT later = new']);
  });

  it('tells a rename without a sync of the file', () => {
    const disk = new SimDisk();
    stored(disk, 'CURRENT', 'old');
    put(disk.open('next', 'create'), 'new');
    disk.rename('next', 'CURRENT');
    disk.syncDirectory('');
    expect(outcomes(disk, (left) => text(left, 'CURRENT'))).toContain('');
  });

  it('loses a directory that its parent does not know yet, with all that is in it', () => {
    const disk = new SimDisk();
    disk.makeDirectory('log');
    const file = disk.open('log/a', 'create');
    put(file, 'a');
    file.sync();
    disk.syncDirectory('log');
    const look = (left: SimDisk): string => left.list('').join() + left.paths().join();
    expect([...outcomes(disk, look)].sort()).toEqual(['', 'loglog/a']);
    disk.syncDirectory('');
    expect([...outcomes(disk, look)]).toEqual(['loglog/a']);
  });

  it('keeps a rename between directories whole or not at all', () => {
    const disk = new SimDisk();
    stored(disk, 'a/f', 'x');
    disk.makeDirectory('b');
    disk.syncDirectory('');
    disk.rename('a/f', 'b/f');
    expect([...outcomes(disk, (left) => left.paths().join())].sort()).toEqual(['a/f', 'b/f']);
    disk.syncDirectory('b');
    expect([...outcomes(disk, (left) => left.paths().join())]).toEqual(['b/f']);
  });

  it('loses what came after a lost rename in either directory, and shows no file twice', () => {
    const disk = new SimDisk();
    disk.makeDirectory('a');
    disk.makeDirectory('b');
    disk.syncDirectory('');
    disk.open('a/f', 'create');
    disk.rename('a/f', 'b/f');
    disk.open('a/g', 'create');
    const look = (left: SimDisk): string => left.paths().join(' ');
    expect([...outcomes(disk, look)].sort()).toEqual(['', 'a/f', 'a/g b/f', 'b/f']);
    disk.syncDirectory('b');
    expect([...outcomes(disk, look)].sort()).toEqual(['a/g b/f', 'b/f']);
  });

  it('never invents bytes: each sector shows one of its versions since the last sync, none older', () => {
    const step = fc.record({
      do: fc.constantFrom('write' as const, 'write' as const, 'write' as const, 'sync' as const, 'kill' as const),
      position: fc.nat(6 * SECTOR),
      length: fc.integer({ min: 1, max: 4 * SECTOR }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), fc.nat(), (steps, seed) => {
        let disk = new SimDisk();
        const size = 10 * SECTOR;
        let file = stored(disk, 'f', Buffer.alloc(size));
        let versions: string[][] = Array.from({ length: 10 }, () => ['0'.repeat(2 * SECTOR)]);
        const now = (): string[] => {
          const content = disk.bytesOf('f').toString('hex');
          return versions.map((_, n) => content.slice(n * 2 * SECTOR, (n + 1) * 2 * SECTOR));
        };
        steps.forEach((move, n) => {
          if (move.do === 'sync') {
            file.sync();
            versions = now().map((sector) => [sector]);
          } else if (move.do === 'kill') {
            disk = disk.kill();
            file = disk.open('f', 'write');
          } else {
            file.write(Buffer.alloc(move.length, n + 1), 0, move.length, move.position);
            now().forEach((sector, at) => {
              versions[at]!.push(sector);
            });
          }
        });
        const random = new SimRandom(seed);
        for (let cut = 0; cut < 5; cut++) {
          const content = disk.crash(random).bytesOf('f').toString('hex');
          versions.forEach((allowed, n) => {
            expect(allowed).toContain(content.slice(n * 2 * SECTOR, (n + 1) * 2 * SECTOR));
          });
        }
      }),
    );
  });

  it('repeats from its seed, and leaves this disk as it was', () => {
    const disk = new SimDisk();
    const file = stored(disk, 'f', 'o'.repeat(8 * SECTOR));
    for (let n = 0; n < 8; n++) put(file, 'n', n * SECTOR);
    const before = text(disk, 'f');
    const first = disk.crash(new SimRandom(7));
    put(first.open('f', 'write'), 'changed');
    expect(text(disk, 'f')).toBe(before);
    expect(text(disk.crash(new SimRandom(7)), 'f')!.slice(7)).toBe(text(first, 'f')!.slice(7));
  });
});

describe('a killed process', () => {
  it('leaves all it wrote, none of it more durable than before', () => {
    const disk = new SimDisk();
    disk.lock();
    put(stored(disk, 'f', 'old'), 'new');
    put(disk.open('g', 'create'), 'g');
    const left = disk.kill();
    left.lock();
    expect([text(left, 'f'), text(left, 'g'), left.usedBytes, left.dirty]).toEqual(['new', 'g', disk.usedBytes, true]);
    expect(outcomes(left, (cut) => `${text(cut, 'f')} ${text(cut, 'g')}`)).toContain('old null');
    left.open('f', 'write').sync();
    left.open('g', 'write').sync();
    left.syncDirectory('');
    expect([...outcomes(left, (cut) => `${text(cut, 'f')} ${text(cut, 'g')}`)]).toEqual(['new g']);
    expect(outcomes(disk, (cut) => text(cut, 'f'))).toContain('old');
  });
});

describe('a failed sync', () => {
  const failNext = (disk: SimDisk): void => {
    disk.beforeCall = ({ op }) => {
      if (!op.startsWith('sync')) return;
      disk.beforeCall = null;
      throw new DiskError('io', 'injected');
    };
  };

  it('is not repaired by the next one, but by writing again', () => {
    const disk = new SimDisk();
    const file = stored(disk, 'f', 'o'.repeat(2 * PAGE));
    put(file, 'n');
    failNext(disk);
    expect(() => file.sync()).toThrow('injected');
    put(file, 'm', PAGE);
    file.sync();
    const look = (left: SimDisk): string => text(left, 'f')![0]! + text(left, 'f')![PAGE]!;
    expect([...outcomes(disk, look)].sort()).toEqual(['nm', 'om']);
    expect([...outcomes(disk.kill(), look)].sort()).toEqual(['nm', 'om']);
    put(file, 'n');
    file.sync();
    expect([...outcomes(disk, look)]).toEqual(['nm']);
  });

  it('off the loop comes to its callback', () => {
    const disk = new SimDisk();
    const file = stored(disk, 'f', 'old');
    put(file, 'new');
    failNext(disk);
    const heard: (string | undefined)[] = [];
    file.syncAsync((error) => heard.push(error?.kind));
    expect(heard).toEqual([]);
    disk.settleAsync();
    expect(heard).toEqual(['io']);
    expect(outcomes(disk, (left) => text(left, 'f'))).toContain('old');
  });
});

describe('calls off the loop', () => {
  it('come in a later turn, and a sync covers what was written before it was asked for', () => {
    const clock = new SimClock();
    const disk = new SimDisk({ clock });
    const file = stored(disk, 'f', '.'.repeat(2 * SECTOR));
    const heard: string[] = [];
    put(file, 'A');
    file.syncAsync(() => heard.push('synced'));
    put(file, 'B', SECTOR);
    const bytes = Buffer.alloc(1);
    file.readAsync(bytes, 0, 1, SECTOR, (error, count) => heard.push(`${error} ${count} ${bytes}`));
    expect(heard).toEqual([]);
    expect(outcomes(disk, (left) => text(left, 'f')![0])).toContain('.');
    clock.runTurn();
    expect(heard).toEqual(['synced', 'null 1 B']);
    expect([...outcomes(disk, (left) => text(left, 'f')![0])]).toEqual(['A']);
    expect(outcomes(disk, (left) => text(left, 'f')![SECTOR])).toContain('.');
  });

  it('take as long as the test says', () => {
    const clock = new SimClock(0);
    const disk = new SimDisk({ clock });
    disk.latencyMs = (op) => (op === 'sync-async' ? 5 : 1);
    const file = stored(disk, 'f', 'x');
    const heard: string[] = [];
    file.syncAsync(() => heard.push(`sync@${clock.nowMs()}`));
    file.readAsync(Buffer.alloc(1), 0, 1, 0, () => heard.push(`read@${clock.nowMs()}`));
    clock.advance(10);
    expect(heard).toEqual(['read@1', 'sync@5']);
  });

  it('a sync that comes late takes nothing back from one that overtook it', () => {
    const disk = new SimDisk();
    const file = stored(disk, 'f', '.');
    put(file, 'A');
    file.syncAsync(() => undefined);
    put(file, 'B');
    file.sync();
    disk.settleAsync();
    expect([...outcomes(disk, (left) => text(left, 'f'))]).toEqual(['B']);
  });
});

describe('a full disk', () => {
  it('refuses what needs room, writes what fits, and never fails where room was taken', () => {
    const disk = new SimDisk({ capacityBytes: 4 * PAGE });
    const file = disk.open('f', 'create');
    file.write(Buffer.alloc(3 * PAGE), 0, 3 * PAGE, 0);
    expect(disk.freeBytes()).toBe(PAGE);
    const refused = (): void => file.write(Buffer.alloc(3 * PAGE, 1), 0, 3 * PAGE, 2 * PAGE);
    expect(refused).toThrow(expect.objectContaining({ kind: 'full' }));
    expect(file.size()).toBe(4 * PAGE);
    put(file, 'x'.repeat(4 * PAGE));
    expect(() => put(disk.open('g', 'create'), 'g')).toThrow(expect.objectContaining({ kind: 'full' }));
    disk.capacityBytes = 0;
    put(file, 'y'.repeat(4 * PAGE));
    expect(disk.freeBytes()).toBe(0);
    disk.capacityBytes = 5 * PAGE;
    put(disk.open('g', 'write'), 'g');
    expect(disk.usedBytes).toBe(5 * PAGE);
  });

  it('has room again when files are removed, cut or replaced, and closed', () => {
    const disk = new SimDisk();
    const files = ['a', 'b', 'c'].map((name) => disk.open(name, 'create'));
    for (const file of files) put(file, 'x'.repeat(2 * PAGE));
    disk.remove('a');
    expect(disk.usedBytes).toBe(6 * PAGE);
    files[0]!.close();
    files[0]!.close();
    expect(disk.usedBytes).toBe(4 * PAGE);
    files[1]!.truncate(1);
    expect(disk.usedBytes).toBe(3 * PAGE);
    files[2]!.close();
    disk.rename('b', 'c');
    expect(disk.usedBytes).toBe(PAGE);
    disk.open('c', 'create');
    expect([disk.usedBytes, disk.kill().usedBytes]).toEqual([0, 0]);
  });
});

describe('faults at a call', () => {
  it('a crash ends the process: no further call, no callback', () => {
    const clock = new SimClock();
    const disk = new SimDisk({ clock });
    const file = stored(disk, 'f', 'old');
    file.syncAsync(() => expect.unreachable());
    const at = disk.calls + 2;
    disk.beforeCall = ({ n }) => {
      if (n === at) throw new SimCrash(`at call ${n}`);
    };
    put(file, 'new');
    expect(() => put(file, 'xxx')).toThrow(SimCrash);
    expect(() => file.size()).toThrow(SimCrash);
    expect(() => disk.exists('f')).toThrow(SimCrash);
    clock.runTurn();
    expect(text(disk.kill(), 'f')).toBe('new');
  });

  it('tell number, operation, path and size, and may let a part of a write through', () => {
    const disk = new SimDisk();
    const seen: string[] = [];
    disk.beforeCall = (call) => {
      seen.push(`${call.n} ${call.op} ${call.path} ${call.bytes}`);
      if (call.n < 3) return;
      call.writtenBytes = 2;
      throw new DiskError('io', 'injected');
    };
    const file = disk.open('log//./f', 'create');
    put(file, 'abc');
    expect(() => put(file, 'xyz')).toThrow('injected');
    disk.beforeCall = null;
    expect(seen).toEqual(['1 open log/f 0', '2 write log/f 3', '3 write log/f 3']);
    expect(text(disk, 'log/f')).toBe('xyc');
  });

  it('the lock is held once and falls with the process', () => {
    const disk = new SimDisk();
    disk.lock();
    expect(() => disk.lock()).toThrow(expect.objectContaining({ kind: 'locked' }));
    disk.unlock();
    disk.lock();
    disk.crash(new SimRandom(1)).lock();
  });

  it('bits flip, files are cut and patched on the medium', () => {
    const disk = new SimDisk();
    stored(disk, 'f', 'abc').close();
    disk.flipBit('f', 1, 0);
    disk.patch('f', 2, Buffer.from('XY'));
    expect([...outcomes(disk, (left) => text(left, 'f'))]).toEqual(['acXY']);
    disk.truncate('f', 1);
    expect([...outcomes(disk, (left) => text(left, 'f'))]).toEqual(['a']);
    expect(() => disk.flipBit('f', 1, 0)).toThrow(RangeError);
    expect(() => disk.open('../f', 'read')).toThrow('leaves');
  });
});
