/**
 * The format by hand: every part kind as bytes written from FORMAT.md, not by our writer. Each is read, written again by
 * our writer, and lies in a segment that a broker opens. The checksum is a reference of its own, bit by bit. The worked
 * example of FORMAT.md is one of these entries; `FORMAT=write npx vitest run core/log/vectors` puts it there.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeEvent, encodeEvent } from '../state/events.ts';
import { SimBroker } from '../testing/sim-broker.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { crc32c } from './crc32c.ts';
import { type EntryHead, eachPart, readEntryHead, sealEntry, verifyEntry, writePartHead } from './entry.ts';
import {
  emptyMessageFields,
  type MessageFields,
  PART,
  type Row,
  readMessagePart,
  readOffsets,
  readQueueSet,
  readRow,
  readSettlements,
  readStarts,
  writeMessagePart,
  writeOffset,
  writeQueueSet,
  writeRow,
  writeSettlement,
} from './parts.ts';
import { decodeSeal, decodeSegmentHead, encodeSeal, encodeSegmentHead, SEGMENT_HEAD, saltSeed } from './segment.ts';

/** Bytes in hex and what they say. */
type Pieces = readonly (readonly [string, string])[];

const bytesOf = (pieces: Pieces): Buffer => Buffer.from(pieces.map(([hex]) => hex.replaceAll(' ', '')).join(''), 'hex');

/** CRC-32C from its polynomial, one bit at a time. */
function referenceCrc(bytes: Buffer, seed = 0): number {
  let crc = ~seed >>> 0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

// ---------------------------------------------------------------- parts

const PLAIN: Pieces = [
  ['01', 'kind 1: message'],
  ['c8', 'format 200'],
  ['0000', 'flags: none'],
  ['26000000', 'length 38'],
  ['01000000', '1 record'],
  ['00000000', 'no tag'],
  ['e80300000000', 'record time 1000'],
  ['0100', '1 row'],
  ['02000000', 'payload of 2 bytes'],
  ['0000', 'no keys'],
  ['00', 'priority 0'],
  ['00', 'rows, high byte'],
  ['04000000', 'row: queue 4'],
  ['000000000000 0000', 'at offset 0'],
  ['6869', 'payload “hi”'],
  ['0000', 'zeros to a multiple of 8'],
];

const FULL: Pieces = [
  ['01 c8 0627 6d000000', 'message; transactional, compressed, expiry, producer, slices, due; length 109'],
  [
    '03000000 ffffffff 0a0000000000 0200 01000000 0200 09 00',
    '3 records, tag -1, time 10, 2 rows, 1 byte, 2 keys, priority 9',
  ],
  ['010203040506 0000', 'expiry'],
  ['e90300000000 0200 11000000 00000000', 'producer 1001, epoch 2, sequence 17'],
  ['ffffffffffff 0000 07000000', 'due at the last moment there is, for queue 7'],
  ['01000000 020000000000 0000 00000000 03000000', 'queue 1 at 2: records 0 to 2'],
  ['05000000 000000010000 0000 02000000 01000000', 'queue 5 at 2^24: record 2'],
  ['efbeadde 01000000', 'key hashes'],
  ['58', 'payload “X”'],
  ['000000', 'zeros'],
];

const MOVED_SET: Pieces = [
  ['01 04 0818 38000000', 'message; moved, rows of a set; length 56'],
  [
    '01000000 00000080 000000000000 0000 00000000 0000 00 00',
    '1 record, mixed tags, rows counted by the set, no payload',
  ],
  ['000100000000 0000', 'stored at 256'],
  ['001000000000 0000', 'moved from the segment at 4096'],
  ['02000000', 'set 2'],
  ['010000000000 ff0000000000', 'offsets 1 and 255'],
];

const SETTLEMENTS: Pieces = [
  ['03 00 0000 1a000000', 'settlements, length 26'],
  ['07 03 06', 'group 7, queue 3, 6 operations'],
  ['01 0a 01', 'settled 5, one'],
  ['02 03 02 e807', 'returned 3 (two less), 2 deliveries, not before 1000'],
  ['03 08 01 00', 'leased 7 (four more), 1 delivery, deadline 0'],
  ['04 02', 'delivered up to 8'],
  ['05 ac02', 'floor 158 (150 more)'],
  ['06 00', 'closed'],
  ['ac02 01 00', 'group 300, queue 1, no operation'],
  ['000000000000', 'zeros'],
];

const OFFSETS: Pieces = [
  ['04 00 0000 09000000', 'offsets, length 9'],
  ['01 02 8001 00 05 02 c3a9', 'group 1, queue 2, offset 128, no epoch, at 5, metadata “é”'],
  ['00000000000000', 'zeros'],
];

const STATE: Pieces = [
  ['05 00 0000 18000000', 'state, length 24'],
  ['7b 226b22 3a 22636c757374657222 2c 226964 22 3a 226122 7d', '{"k":"cluster","id":"a"}'],
];

const STARTS: Pieces = [
  ['06 00 0000 06000000', 'starts, length 6'],
  ['03 808001', 'queue 3 from 16384'],
  ['01 00', 'queue 1 from 0'],
  ['0000', 'zeros'],
];

const OPEN: Pieces = [
  ['07 00 0000 02000000', 'open, length 2'],
  ['7631', '“v1”'],
  ['000000000000', 'zeros'],
];

const QUEUE_SET: Pieces = [
  ['08 00 0000 05000000', 'queue set, length 5'],
  ['02 02 01 ac02', 'set 2: two queues, 1 and 300'],
  ['000000', 'zeros'],
];

// ---------------------------------------------------------------- an entry and a segment

const SALT = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');

/** A dead letter: the end of the original and the copy, one entry. */
const ENTRY: Pieces = [
  ['52 4d 51 31', 'magic “RMQ1”'],
  ['68000000', 'length 104'],
  ['@crc', 'CRC-32C of all that follows, from the CRC of the salt'],
  ['02000000', 'epoch 2'],
  ['780000000000', 'position 120'],
  ['0200', '2 parts'],
  ['780000000000 0000', 'durable: everything below 120'],
  ['0068e5cf8b01 0000', 'stored at 1700000000000'],
  ['03 00 0000 06000000', 'part: settlements, length 6'],
  ['07 03 01', '  group 7, queue 3, one operation'],
  ['01 0a 01', '  settled: offset 5, one'],
  ['0000', '  zeros to a multiple of 8'],
  ['01 c8 0000 26000000', 'part: message, format 200, no flags, length 38'],
  ['01000000 00000000', '  1 record, no tag'],
  ['e80300000000', '  record time 1000'],
  ['0100 02000000 0000 00 00', '  1 row, payload of 2 bytes, no keys, priority 0'],
  ['04000000 000000000000 0000', '  queue 4, offset 0'],
  ['6869', '  payload “hi”'],
  ['0000', '  zeros to a multiple of 8'],
];

const HEAD: Pieces = [
  ['524d51534547 00 01', 'magic'],
  ['01000000 00000000', 'version 1, not moved'],
  ['000000000000 0000', 'base 0'],
  ['02000000 00000100', 'epoch 2, capacity 65536'],
  [SALT.toString('hex'), 'salt'],
  ['000000000000 0000', 'sealed end'],
  ['0068e5cf8b01 0000', 'created'],
  ['@crc', 'CRC-32C of bytes 0 to 63'],
];

/** The same with the checksum in its place. */
function summed(pieces: Pieces, from: number, to: number, seed: number): Pieces {
  const bytes = bytesOf(pieces.map(([hex, says]) => [hex === '@crc' ? '00000000' : hex, says]));
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(referenceCrc(bytes.subarray(from, to), seed));
  return pieces.map(([hex, says]) => [hex === '@crc' ? crc.toString('hex') : hex, says]);
}

const entry = (pieces: Pieces): Pieces => summed(pieces, 12, 1e9, referenceCrc(SALT));
const sets = { setSize: (): number => 2, setQueue: (_id: number, n: number): number => [1, 300][n]! };

describe('the parts by hand', () => {
  it('a checksum is the reference’s', () => {
    expect(referenceCrc(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(SALT, 0, 16, 0)).toBe(referenceCrc(SALT));
  });

  const messages: [string, Pieces, Partial<MessageFields>, Row[], number[], string][] = [
    [
      'a message',
      PLAIN,
      { format: 200, flags: 0, records: 1, tagHash: 0, recordTimeMaxMs: 1000, priority: 0 },
      [{ queue: 4, base: 0, first: 0, count: 1 }],
      [],
      'hi',
    ],
    [
      'a message with every field',
      FULL,
      {
        format: 200,
        flags: 0x2706,
        records: 3,
        tagHash: -1,
        recordTimeMaxMs: 10,
        priority: 9,
        expiryMs: 0x060504030201,
        producerId: 1001,
        producerEpoch: 2,
        baseSequence: 17,
        dueMs: 0xffff_ffff_ffff,
        dueQueue: 7,
      },
      [
        { queue: 1, base: 2, first: 0, count: 3 },
        { queue: 5, base: 2 ** 24, first: 2, count: 1 },
      ],
      [0xdeadbeef, 1],
      'X',
    ],
    [
      'a moved message of a set',
      MOVED_SET,
      { format: 4, flags: 0x1808, records: 1, tagHash: -0x80000000, movedStoreTimeMs: 256, movedFrom: 4096, setId: 2 },
      [
        { queue: 1, base: 1, first: 0, count: 1 },
        { queue: 300, base: 255, first: 0, count: 1 },
      ],
      [],
      '',
    ],
  ];
  for (const [name, pieces, expected, rows, keys, payload] of messages) {
    it(`${name} is read and written`, () => {
      const bytes = bytesOf(pieces);
      const fields = emptyMessageFields();
      readMessagePart(bytes, 0, fields, sets.setSize);
      expect(fields).toMatchObject({
        ...expected,
        rowCount: rows.length,
        keyCount: keys.length,
        payloadLength: payload.length,
      });
      const row: Row = { queue: 0, base: 0, first: 0, count: 0 };
      rows.forEach((wanted, n) => {
        readRow(bytes, fields, n, sets.setQueue, row);
        expect(row).toEqual(wanted);
      });
      expect(keys.map((_, k) => bytes.readUInt32LE(fields.keysAt + k * 4))).toEqual(keys);
      expect(bytes.toString('utf8', fields.payloadAt, fields.payloadAt + fields.payloadLength)).toBe(payload);

      const written = Buffer.alloc(bytes.length, 0xaa);
      const end = writeMessagePart(written, 0, fields);
      rows.forEach(({ queue, base, first, count }, n) => void writeRow(written, fields, n, queue, base, first, count));
      keys.forEach((key, k) => void written.writeUInt32LE(key, fields.keysAt + k * 4));
      written.write(payload, fields.payloadAt);
      expect(end).toBe(bytes.length);
      expect(written.toString('hex')).toBe(bytes.toString('hex'));
    });
  }

  /** Reads the body of the part with `read`, and has the writer make the part again. */
  function both(
    pieces: Pieces,
    kind: number,
    read: (reader: ByteReader) => void,
    write: (writer: ByteWriter) => void,
  ): void {
    const bytes = bytesOf(pieces);
    const length = bytes.readUInt32LE(4);
    read(new ByteReader(bytes, 8, 8 + length));
    const writer = new ByteWriter(8);
    write(writer);
    const part = Buffer.alloc(bytes.length);
    writePartHead(part, 0, kind, 0, 0, writer.length);
    writer.done().copy(part, 8);
    expect(part.toString('hex')).toBe(bytes.toString('hex'));
  }

  it('settlements are read and written', () => {
    const seen: number[][] = [];
    const operations = [
      [1, 5, 1, 0],
      [2, 3, 2, 1000],
      [3, 7, 1, 0],
      [4, 8, 0, 0],
      [5, 158, 0, 0],
      [6, 158, 0, 0],
    ] as const;
    both(
      SETTLEMENTS,
      PART.settlements,
      (reader) => readSettlements(reader, (...all) => void seen.push(all)),
      (writer) => {
        for (const number of [7, 3, 6]) writer.varint(number);
        let previous = 0;
        for (const [kind, offset, a, b] of operations) {
          writeSettlement(writer, kind, previous, offset, a, b);
          previous = offset;
        }
        for (const number of [300, 1, 0]) writer.varint(number);
      },
    );
    expect(seen).toEqual(operations.map((operation) => [7, 3, ...operation]));
  });

  it('offsets, starts, sets, state and open are read and written', () => {
    const seen: unknown[] = [];
    both(
      OFFSETS,
      PART.offsets,
      (reader) => readOffsets(reader, (...all) => void seen.push(all)),
      (writer) => writeOffset(writer, 1, 2, 128, -1, 5, 'é'),
    );
    expect(seen.splice(0)).toEqual([[1, 2, 128, -1, 5, 'é']]);
    both(
      STARTS,
      PART.starts,
      (reader) => readStarts(reader, (...all) => void seen.push(all)),
      (writer) => {
        for (const number of [3, 16384, 1, 0]) writer.varint(number);
      },
    );
    expect(seen.splice(0)).toEqual([
      [3, 16384],
      [1, 0],
    ]);
    both(
      QUEUE_SET,
      PART.queueSet,
      (reader) => void seen.push(readQueueSet(reader)),
      (writer) => writeQueueSet(writer, 2, [1, 300]),
    );
    expect(seen.splice(0)).toEqual([{ id: 2, queues: Uint32Array.of(1, 300) }]);
    both(
      STATE,
      PART.state,
      (reader) => void seen.push(decodeEvent(reader.raw(24))),
      (writer) => writer.raw(encodeEvent({ k: 'cluster', id: 'a' })),
    );
    expect(seen.splice(0)).toEqual([{ k: 'cluster', id: 'a' }]);
    both(
      OPEN,
      PART.open,
      (reader) => void seen.push(reader.raw(2).toString()),
      (writer) => writer.raw(Buffer.from('v1')),
    );
    expect(seen).toEqual(['v1']);
  });
});

describe('an entry by hand', () => {
  const salt = saltSeed(SALT, crc32c);
  const bytes = bytesOf(entry(ENTRY));
  const head: EntryHead = {
    length: 104,
    epoch: 2,
    position: 120,
    parts: 2,
    durable: 120,
    storeTimeMs: 1_700_000_000_000,
  };

  it('verifies at its place, in its segment, and nowhere else', () => {
    expect(verifyEntry(bytes, 0, bytes.length, 120, salt, crc32c)).toBe(104);
    expect(verifyEntry(bytes, 0, bytes.length, 128, salt, crc32c)).toBe(0);
    expect(verifyEntry(bytes, 0, bytes.length, 120, salt ^ 1, crc32c)).toBe(0);
    expect(readEntryHead(bytes, 0)).toEqual(head);
    const kinds: number[] = [];
    eachPart(bytes, 0, (part) => void kinds.push(part.kind));
    expect(kinds).toEqual([PART.settlements, PART.message]);
  });

  it('is what our writer makes', () => {
    const written = Buffer.from(bytes);
    written.fill(0xee, 0, 40);
    sealEntry(written, 0, head, salt, crc32c);
    expect(written.toString('hex')).toBe(bytes.toString('hex'));
  });

  it('lies in a segment that a broker opens', async () => {
    const row = {
      id: 1,
      namespace: 'default',
      kind: 'topic',
      name: 'orders',
      uuid: '00000000000040008000000000000001',
      queues: [4],
      layout: { id: 1, ordered: true, parents: [] },
      ownGroup: 0,
      attributes: {
        flush: 'sync',
        retention: { mode: 'log', timeMs: -1, bytes: -1 },
        messageBytesMax: 1000,
        deadLetter: null,
        messageTtlMs: -1,
        deliveriesMax: -1,
        extra: {},
      },
    };
    const json = Buffer.from(JSON.stringify({ k: 'topic', row }));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(json.length);
    const state: Pieces = [
      ['05 00 0000', 'state'],
      [length.toString('hex') + json.toString('hex') + '00'.repeat((8 - (json.length % 8)) % 8), 'a topic'],
    ];
    const parts = Buffer.concat([bytesOf(OPEN), bytesOf(STATE), bytesOf(state), bytesOf(PLAIN)]);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(40 + parts.length);
    const first = bytesOf(
      entry([
        ['52 4d 51 31', 'magic'],
        [size.toString('hex'), 'length'],
        ['@crc', 'checksum'],
        ['02000000 000000000000 0400 000000000000 0000 0068e5cf8b01 0000', 'epoch 2, position 0, 4 parts'],
        [parts.toString('hex'), 'open, state, state, message'],
      ]),
    );
    const page = Buffer.alloc(SEGMENT_HEAD);
    const headBytes = bytesOf(summed(HEAD, 0, 64, 0));
    headBytes.copy(page, 0);
    headBytes.copy(page, 2048);
    const segmentHead = {
      moved: false,
      base: 0,
      epoch: 2,
      capacity: 65536,
      salt: SALT,
      sealedEnd: 0,
      createdMs: 1_700_000_000_000,
    };
    expect(encodeSegmentHead(segmentHead, crc32c).equals(page)).toBe(true);
    expect(decodeSegmentHead(page, crc32c)).toEqual(segmentHead);

    const before = await SimBroker.open();
    const disk = before.disk.kill();
    for (const path of disk.paths()) disk.remove(path);
    const file = disk.open('log/0000000000000000.seg', 'create');
    file.write(Buffer.concat([page, first, Buffer.alloc(65536 - first.length)]), 0, SEGMENT_HEAD + 65536, 0);
    const again = await SimBroker.on(disk, before, { segmentBytes: 65536, reserveBytes: 4096 });
    expect(again.broker.clusterId).toBe('a');
    expect(again.broker.epoch).toBe(3);
    const into = { units: [], bytes: 0, nextOffset: 0, startOffset: 0, endOffset: 0 } as Parameters<
      typeof again.broker.read
    >[4];
    const limits = { bytesMax: 100, recordsMax: 10, tagHashes: null };
    const read = () => again.broker.read({ name: 't', host: '' }, 4, 0, limits, into, { wake: () => undefined });
    while (read() === 'pending') again.turn();
    expect(into.units.map((unit) => [unit.baseOffset, unit.format, unit.payload.toString()])).toEqual([[0, 200, 'hi']]);
  });

  it('a seal says where a segment ends', () => {
    const seal = summed(
      [
        ['524d51454e44 00 01', 'magic'],
        ['780000000000 0000', 'end'],
        ['@crc', 'checksum'],
      ],
      0,
      16,
      referenceCrc(SALT),
    );
    expect(encodeSeal(120, salt, crc32c).toString('hex')).toBe(bytesOf(seal).toString('hex'));
    const page = Buffer.alloc(SEGMENT_HEAD);
    bytesOf(seal).copy(page, 512);
    expect(decodeSeal(page, salt, crc32c)).toBe(120);
    expect(decodeSeal(page, salt ^ 1, crc32c)).toBe(-1);
  });
});

describe('FORMAT.md', () => {
  it('shows this entry', () => {
    const path = join(import.meta.dirname, 'FORMAT.md');
    const text = readFileSync(path, 'utf8');
    const [before, rest] = text.split('<!-- example:begin -->') as [string, string];
    const [, after] = rest.split('<!-- example:end -->') as [string, string];
    let at = 0;
    const lines = entry(ENTRY).map(([hex, says]) => {
      const line = `${String(at).padStart(3)}  ${hex.padEnd(36)}  ${says}`;
      at += hex.replaceAll(' ', '').length / 2;
      return line;
    });
    const shown = `${before}<!-- example:begin -->
A dead letter, byte by byte: group 7 is done with offset 5 of queue 3, and its copy is offset 0 of queue 4, in one entry at
position 120 of a segment whose salt is \`${SALT.toString('hex')}\`.

\`\`\`
${lines.join('\n')}
\`\`\`
<!-- example:end -->${after}`;
    if (process.env['FORMAT'] === 'write') writeFileSync(path, shown);
    expect(readFileSync(path, 'utf8') === shown, 'run FORMAT=write npx vitest run core/log/vectors').toBe(true);
  });
});
