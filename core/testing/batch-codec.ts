/**
 * A batch format for tests of the core, which knows none of the real ones: u32 base offset (stamped), u32 records, then
 * per record u32 length and text `key|tag|body`.
 */
import { BrokerError } from '../errors.ts';
import type { Codec, Message } from '../types.ts';

export const FORMAT_BATCH = 200;

export function encodeBatch(records: readonly string[]): Buffer {
  const bodies = records.map((record) => Buffer.from(record));
  const bytes = Buffer.alloc(8 + bodies.reduce((sum, body) => sum + 4 + body.length, 0));
  bytes.writeUInt32BE(records.length, 4);
  let at = 8;
  for (const body of bodies) {
    bytes.writeUInt32BE(body.length, at);
    body.copy(bytes, at + 4);
    at += 4 + body.length;
  }
  return bytes;
}

export const batchCodec: Codec = {
  format: FORMAT_BATCH,
  name: 'batch',
  decode(payload: Buffer): Message[] {
    const messages: Message[] = [];
    const count = payload.readUInt32BE(4);
    let at = 8;
    for (let n = 0; n < count; n++) {
      const length = payload.readUInt32BE(at);
      if (at + 4 + length > payload.length) throw new BrokerError('corrupt-message', 'a record passes the end');
      const [key, tag, ...body] = payload.toString('utf8', at + 4, at + 4 + length).split('|');
      messages.push({
        body: Buffer.from(body.join('|')),
        key: Buffer.from(key!),
        tag: tag === '' ? null : tag!,
        headers: [],
        timestampMs: 1000 + n,
      });
      at += 4 + length;
    }
    return messages;
  },
  stamp(payload, baseOffset) {
    payload.writeUInt32BE(baseOffset, 0);
  },
};
