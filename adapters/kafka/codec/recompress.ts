// A batch in another compression: what compression.type of a topic asks for when it is not `producer`.
//
// Invariant: records, offsets, times and the producer's identity stay; only the codec, the length and the CRC change.
// The work is done on the loop, and only topics that ask for it pay.
import { AT, ATTRIBUTE, BATCH_HEAD_BYTES, CODEC, LENGTH_HEAD_BYTES } from './batch.ts';
import { compress, decompress } from './compression.ts';
import { crc32c } from './crc32c.ts';

const CODECS: Readonly<Record<string, number>> = { ...CODEC, uncompressed: CODEC.none };

/** The batch itself when it has that compression already. Throws BrokerError corrupt-message or message-too-large. */
export function recompressed(batch: Buffer, compression: string, level: number, bytesMax: number): Buffer {
  const attributes = batch.readInt16BE(AT.attributes);
  const before = attributes & ATTRIBUTE.codecMask;
  const after = CODECS[compression] ?? before;
  if (before === after) return batch;
  const packed = compress(after, decompress(before, batch.subarray(BATCH_HEAD_BYTES), bytesMax), level);
  const out = Buffer.allocUnsafe(BATCH_HEAD_BYTES + packed.length);
  out.set(batch.subarray(0, BATCH_HEAD_BYTES));
  out.set(packed, BATCH_HEAD_BYTES);
  out.writeInt16BE((attributes & ~ATTRIBUTE.codecMask) | after, AT.attributes);
  out.writeInt32BE(out.length - LENGTH_HEAD_BYTES, AT.batchLength);
  out.writeUInt32BE(crc32c(out, AT.attributes, out.length), AT.crc);
  return out;
}
