// The four compression codecs of record batches: written, and read with a limit on what comes out.
//
// Invariant: nothing is allocated beyond `bytesMax`, however small the input: formats that state or bound their size
// are refused before they are unpacked, the others are stopped while they are.

import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import lz4 from 'lz4-napi';
import snappy from 'snappy';
import { BrokerError } from '../../../core/errors.ts';
import { CODEC } from './batch.ts';

/** Unpacks the records of a batch. Throws BrokerError corrupt-message or message-too-large. */
export function decompress(codec: number, packed: Buffer, bytesMax: number): Buffer {
  try {
    switch (codec) {
      case CODEC.none:
        return packed;
      case CODEC.gzip:
        return gunzipSync(packed, { maxOutputLength: Math.max(1, bytesMax) });
      case CODEC.snappy:
        return isXerial(packed) ? unpackXerial(packed, bytesMax) : unpackSnappy(packed, bytesMax);
      case CODEC.lz4:
        return unpackLz4(packed, bytesMax);
      case CODEC.zstd:
        return zstdDecompressSync(packed, { maxOutputLength: Math.max(1, bytesMax) });
    }
  } catch (cause) {
    if (cause instanceof BrokerError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(bytesMax);
    throw new BrokerError('corrupt-message', 'the compressed records of a batch cannot be unpacked', { cause });
  }
  throw new BrokerError('corrupt-message', `unknown compression codec ${codec}`);
}

/** Packs the records of a batch. Levels mean what they mean to the codec; snappy and lz4 have one. */
export function compress(codec: number, records: Buffer, level: number): Buffer {
  switch (codec) {
    case CODEC.none:
      return records;
    case CODEC.gzip:
      return gzipSync(records, { level });
    case CODEC.snappy:
      return packXerial(records);
    case CODEC.lz4:
      return lz4.compressFrameSync(records);
    case CODEC.zstd:
      return zstdCompressSync(records, { params: { [constants.ZSTD_c_compressionLevel]: level } });
  }
  throw new BrokerError('corrupt-message', `unknown compression codec ${codec}`);
}

function tooLarge(bytesMax: number): BrokerError {
  return new BrokerError('message-too-large', `the records of a batch unpack to more than ${bytesMax} bytes`);
}

// The Java client wraps snappy blocks as snappy-java's stream does: magic, version, lowest compatible version, then
// int32 lengths and blocks. Other clients send one raw block.
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEAD_BYTES = 16;

/** The block size of the Java client's stream; every reader of Kafka batches takes it. */
const XERIAL_BLOCK_BYTES = 32 * 1024;

function packXerial(records: Buffer): Buffer {
  const head = Buffer.alloc(XERIAL_HEAD_BYTES);
  XERIAL_MAGIC.copy(head);
  head.writeInt32BE(1, 8);
  head.writeInt32BE(1, 12);
  const pieces: Buffer[] = [head];
  for (let at = 0; at < records.length; at += XERIAL_BLOCK_BYTES) {
    const block: Buffer = snappy.compressSync(records.subarray(at, at + XERIAL_BLOCK_BYTES));
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    pieces.push(length, block);
  }
  return Buffer.concat(pieces);
}

function isXerial(packed: Buffer): boolean {
  return packed.length >= XERIAL_HEAD_BYTES && packed.compare(XERIAL_MAGIC, 0, 8, 0, 8) === 0;
}

/** A raw snappy block begins with its unpacked size as a varint. */
function snappySize(block: Buffer): number {
  let size = 0;
  for (let i = 0; i < 5 && i < block.length; i++) {
    size += (block[i]! & 0x7f) * 2 ** (7 * i);
    if (block[i]! < 0x80) return size;
  }
  throw new BrokerError('corrupt-message', 'a snappy block without a size');
}

function unpackSnappy(block: Buffer, bytesMax: number): Buffer {
  if (snappySize(block) > bytesMax) throw tooLarge(bytesMax);
  return snappy.uncompressSync(block, { asBuffer: true }) as Buffer;
}

function unpackXerial(packed: Buffer, bytesMax: number): Buffer {
  const blocks: Buffer[] = [];
  let bytes = 0;
  let at = XERIAL_HEAD_BYTES;
  while (at < packed.length) {
    const end = at + 4 + packed.readInt32BE(at);
    if (end <= at + 4 || end > packed.length) throw new BrokerError('corrupt-message', 'a snappy block ends outside');
    const block = unpackSnappy(packed.subarray(at + 4, end), bytesMax - bytes);
    bytes += block.length;
    blocks.push(block);
    at = end;
  }
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks, bytes);
}

const LZ4_MAGIC = 0x184d2204;
const LZ4_BLOCK_BYTES: Record<number, number> = { 4: 64 << 10, 5: 256 << 10, 6: 1 << 20, 7: 4 << 20 };
/** No LZ4 block unpacks to more than this times its size. */
const LZ4_RATIO_MAX = 255;

/** The frame's block heads bound what it unpacks to; the library itself knows no limit. */
function unpackLz4(packed: Buffer, bytesMax: number): Buffer {
  if (packed.length < 7 || packed.readUInt32LE(0) !== LZ4_MAGIC) {
    throw new BrokerError('corrupt-message', 'not an LZ4 frame');
  }
  const flags = packed[4]!;
  const blockBytesMax = LZ4_BLOCK_BYTES[(packed[5]! >> 4) & 0x07];
  if (blockBytesMax === undefined) throw new BrokerError('corrupt-message', 'an LZ4 frame of unknown block size');
  // Content size (flag 3), dictionary id (flag 0) and the head's checksum byte come before the blocks.
  let at = 6 + ((flags & 0x08) !== 0 ? 8 : 0) + ((flags & 0x01) !== 0 ? 4 : 0) + 1;
  const checksumBytes = (flags & 0x10) !== 0 ? 4 : 0;
  let bound = 0;
  for (;;) {
    if (at + 4 > packed.length) throw new BrokerError('corrupt-message', 'an LZ4 frame without an end');
    const head = packed.readUInt32LE(at);
    if (head === 0) break;
    const size = head & 0x7fff_ffff;
    const stored = head >= 0x8000_0000;
    bound += stored ? size : Math.min(blockBytesMax, size * LZ4_RATIO_MAX);
    at += 4 + size + checksumBytes;
  }
  // Only the last block may be less than full, so the bound is off by less than one block.
  if (bound > bytesMax + blockBytesMax) throw tooLarge(bytesMax);
  const out = lz4.decompressFrameSync(packed);
  if (out.length > bytesMax) throw tooLarge(bytesMax);
  return out;
}
