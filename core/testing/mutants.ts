/**
 * Faults put into the source on purpose, each a replacement of a text that stands exactly once, with the test that must
 * fail because of it. A check that catches none of these is no check.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Mutant {
  name: string;
  /** Below core/. */
  file: string;
  find: string;
  replace: string;
  /** Test file below core/, and the name of the test in it. */
  test: string;
  called: string;
}

const CRASH = { test: 'faults.test.ts', called: 'at no call loses what was acknowledged' };
const KILLS = { test: 'broker.test.ts', called: 'survives a clean end, a kill and a power cut with every offset' };
const FULL = { test: 'faults.test.ts', called: 'a full disk' };
const FLIPS = { test: 'log/bit-flips.test.ts', called: 'a flipped bit is found or harmless, wherever it is' };
const SEEDS = { test: 'testing/simulation.test.ts', called: 'finds nothing in 200 seeds' };

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'skip the sync',
    file: 'log/file-journal.ts',
    find: '      this.active.file.sync();\n',
    replace: '',
    ...KILLS,
  },
  {
    name: 'acknowledge before the write',
    file: 'log/log.ts',
    find: '      this.listener.beforeWrite();\n      this.write();\n    } catch (error) {\n      if (this.lost === null)',
    replace:
      '      this.listener.beforeWrite();\n      this.listener.committed(this.position, this.position);\n      this.write();\n    } catch (error) {\n      if (this.lost === null)',
    test: 'faults.test.ts',
    called: 'at any write is never taken for an acknowledgement',
  },
  {
    name: 'acknowledge before the sync',
    file: 'log/log.ts',
    find: '    this.listener.committed(this.writtenTo, this.syncedTo);\n    if (this.lost !== null) return;',
    replace: '    this.listener.committed(this.writtenTo, this.writtenTo);\n    if (this.lost !== null) return;',
    ...CRASH,
  },
  {
    name: 'show before durable',
    file: 'publish.ts',
    find: '      if (sync) queue.syncPending++;\n',
    replace: '      if (sync) queue.syncPending++;\n      queue.visible = unit.base + unit.count;\n',
    test: 'broker.test.ts',
    called: 'shows nothing before it is synced',
  },
  {
    name: 'drop the check of the checksum',
    file: 'log/entry.ts',
    find: 'return bytes.readUInt32LE(start + 8) === crc(bytes, start + 12, start + length, salt) ? length : 0;',
    replace: 'return crc !== undefined && salt !== undefined ? length : 0;',
    ...FLIPS,
  },
  {
    name: 'drop the check of an index block',
    file: 'log/segment-index.ts',
    find: 'if (read !== bytes.length || this.crc(bytes, 0, bytes.length, 0) !== this.blockCrcs[number]) {',
    replace: 'if (read !== bytes.length) {',
    ...FLIPS,
  },
  {
    name: 'forget the reserve',
    file: 'log/file-journal.ts',
    find: "(keep === 'reserve' ? this.options.reserveBytes : 0)",
    replace: "(keep === 'reserve' ? 0 : 0)",
    ...FULL,
  },
  {
    name: 'find the disk full only at the roll',
    file: 'log/file-journal.ts',
    find: '    return this.ready() || this.failed !== null;',
    replace: '    return true;',
    ...FULL,
  },
  {
    name: 'cut the tail one step too low',
    file: 'log/recovery.ts',
    find: '      recovered.tornBytes += zeroTail(segment, position);\n      break',
    replace: '      recovered.tornBytes += zeroTail(segment, Math.max(segment.base, position - 8));\n      break',
    test: 'log/tail.test.ts',
    called: 'leaves a broker with the exact prefix, which goes on',
  },
  {
    name: 'go on appending behind the torn entry',
    file: 'log/recovery.ts',
    find: '  segment.end = position;\n',
    replace: '  segment.end = position + (end < 0 ? 64 : 0);\n',
    test: 'log/tail.test.ts',
    called: 'leaves a broker with the exact prefix, which goes on',
  },
  {
    name: 'forget the durable mark',
    file: 'log/log.ts',
    find: '    head.durable = this.syncedTo;',
    replace: '    head.durable = 0;',
    ...FLIPS,
  },
  {
    name: 'skip the directory sync of a new segment',
    file: 'log/file-journal.ts',
    find: '      disk.syncDirectory(LOG_DIRECTORY);\n      const segment',
    replace: '      const segment',
    ...CRASH,
  },
  {
    name: 'skip the directory sync of the start',
    file: 'log/recovery.ts',
    find: '  for (const directory of [LOG_DIRECTORY, MANIFEST_DIRECTORY])\n    if (options.disk.exists(directory)) options.disk.syncDirectory(directory);\n',
    replace: '',
    ...CRASH,
  },
  {
    name: 'begin a segment while zeros are written into it',
    file: 'log/segment.ts',
    find: '    this.file.awaitZeros();\n    this.zeroing = false;\n    this.finished = true;',
    replace: '    this.zeroing = false;\n    this.finished = true;',
    ...SEEDS,
  },
  {
    name: 'begin a segment before the one before is synced',
    file: 'log/file-journal.ts',
    find: '    this.sync();\n    this.active.sealedEnd = end;',
    replace: '    this.active.sealedEnd = end;',
    ...CRASH,
  },
  {
    name: 'forget where a segment ended',
    file: 'log/recovery.ts',
    find: '    segment.sealedEnd = decodeSeal(bytes, segment.salt, crc);\n',
    replace: '',
    ...CRASH,
  },
  {
    name: 'reuse an offset',
    file: 'log/queue.ts',
    find: '    if (end > queue.next) queue.next = end;\n',
    replace: '',
    ...KILLS,
  },
  {
    name: 'settle in memory alone',
    file: 'shard.ts',
    find: '    for (const section of this.sections) section.flush(this.settlements);\n',
    replace: '',
    test: 'broker.test.ts',
    called: 'settle out of order, come back to their place, and survive a kill',
  },
  {
    name: 'dead-letter without the settlement',
    file: 'publish.ts',
    find: '    if (original !== null) this.settles = [original];\n',
    replace: '',
    test: 'broker.test.ts',
    called: 'dead-letter with the copy and the settlement in one entry',
  },
  {
    name: 'try a failed sync again',
    file: 'log/file-journal.ts',
    find: "      throw this.fail(new JournalError('unknown', 'sync of the log failed', { cause: error }));",
    replace: '      if (error !== null) this.active.file.sync();',
    test: 'faults.test.ts',
    called: 'at any sync is never taken for an acknowledgement',
  },
  {
    name: 'trust what a failed sync left in the cache',
    file: 'log/recovery.ts',
    find: '    if (!segment.moved && segment.end > recovered.durable) rewrite(segment, recovered.durable);\n',
    replace: '    if (segment.base < 0) rewrite(segment, recovered.durable);\n',
    ...SEEDS,
  },
  {
    name: 'trust what a failed sync left of a segment before the last',
    file: 'log/recovery.ts',
    find: '    if (!segment.moved && segment.end',
    replace: '    if (segment === segments.at(-1) && !segment.moved && segment.end',
    test: 'broker.test.ts',
    called: 'keeps in a power cut what a start has found behind a failed sync, also in a segment before the last',
  },
  {
    name: 'name tables that are not durable',
    file: 'log/snapshot.ts',
    find: '      yield writer.file;\n    } finally',
    replace: '      yield undefined;\n    } finally',
    ...CRASH,
  },
  {
    name: 'remove a dead segment before a manifest says so',
    file: 'maintenance.ts',
    find: '      if (oldest <= died) continue;\n',
    replace: '      if (oldest < 0 && died < 0) continue;\n',
    test: 'faults.test.ts',
    called: 'at any call leaves a start from the older manifest as well, when the newest is damaged',
  },
  {
    name: 'write a repetition again',
    file: 'state/producers.ts',
    find: '    for (const batch of row.batches) if (batch.first === baseSequence && batch.last === last) return batch;\n',
    replace: '    if (last >= 0) return null;\n',
    test: 'broker.test.ts',
    called: 'is answered with the first outcome when it repeats, also after a restart',
  },
  {
    name: 'fire a held message early',
    file: 'delivery/hold.ts',
    find: '    const taken = this.due.take(this.shard.log.storeTimeMs(), RELEASES_PER_TURN,',
    replace: '    const taken = this.due.take(this.shard.log.storeTimeMs() + 1000, RELEASES_PER_TURN,',
    ...SEEDS,
  },
  {
    name: 'forget the time of a head that nobody reads',
    file: 'delivery/deaths.ts',
    find: '    if (this.shard.log.lost === null) this.tend(line);\n',
    replace: '',
    test: 'queue-rules.test.ts',
    called: 'leaves a queue that nobody reads, as a dead letter, also when its time ends while the broker is away',
  },
  {
    name: 'commit messages without the settlements of their transaction',
    file: 'publish.ts',
    find: '    let at = settles.length > 0 ? this.shard.part(',
    replace: '    let at = settles.length > 99 ? this.shard.part(',
    test: 'queue-rules.test.ts',
    called: 'is there as a whole or not at all, after a kill and a power cut',
  },
  {
    name: 'leave epochs out of the snapshot',
    file: 'state/epochs.ts',
    find: '      rows.push([queue, ...marks]);\n',
    replace: '',
    test: 'state/epochs.test.ts',
    called: 'knows over restarts and snapshots how far each epoch went',
  },
];

/** Changes the copy of the source at `core`; gives back what undoes it. Throws when the text is not there exactly once. */
export function apply(core: string, mutant: Mutant): () => void {
  const path = join(core, mutant.file);
  const source = readFileSync(path, 'utf8');
  const parts = source.split(mutant.find);
  if (parts.length !== 2)
    throw new Error(
      `mutant '${mutant.name}': its text stands ${parts.length - 1} times in core/${mutant.file}, not once`,
    );
  writeFileSync(path, parts.join(mutant.replace));
  return () => writeFileSync(path, source);
}
