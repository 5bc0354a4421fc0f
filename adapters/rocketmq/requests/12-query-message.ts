// 12 QUERY_MESSAGE: messages of a topic by a key (a word of KEYS), or by their UNIQ_KEY when the client says so.
//
// The index may give messages whose key only hashes alike, and gives a batch as one: every record is looked into.

import { PROPERTY } from '../../../specs/rocketmq/constants.ts';
import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import { FORMAT } from '../../adapter.ts';
import type { Connection } from '../connection.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import { foundRecord, foundStoredMessage } from '../found-message.ts';
import { existingTopic, readMessage } from '../look-up.ts';
import { physicalHigh, physicalLow } from '../message-id.ts';
import { readProperties } from '../properties.ts';
import { ReplyField } from '../reply.ts';

const TOPIC = fieldNumber('topic');
const KEY = fieldNumber('key');
const MAX_NUM = fieldNumber('maxNum');
const BEGIN = fieldNumber('beginTimestamp');
const END = fieldNumber('endTimestamp');
const UNIQUE = fieldNumber('_UNIQUE_KEY_QUERY');
const UPDATE_TIMESTAMP = new ReplyField('indexLastUpdateTimestamp');
const UPDATE_OFFSET = new ReplyField('indexLastUpdatePhyoffset');

const MESSAGES_MAX = 64;
const BYTES_MAX = 8 * 1024 * 1024;

export const queryMessage: RequestHandler = (connection, header) => {
  const topic = existingTopic(connection, header.string(TOPIC));
  const key = header.string(KEY);
  const limit = Math.min(Math.max(1, header.int(MAX_NUM)), MESSAGES_MAX);
  const from = header.longClamped(BEGIN);
  const to = header.longClamped(END);
  const isUnique = header.boolean(UNIQUE);
  connection.later(header, async (ticket) => {
    const { broker, principal } = connection;
    const places = await broker.findByKey(principal, topic, key, limit, from, to);
    const messages: Buffer[] = [];
    let bytes = 0;
    let last: { queue: number; offset: number; timeMs: number } | null = null;
    for (const { queue, offset } of places) {
      const found = await readMessage(broker, principal, queue, offset);
      if (found === null) continue;
      const { unit } = found;
      for (let i = 0; i < unit.count && messages.length < limit && bytes < BYTES_MAX; i++) {
        const each = { unit, record: unit.firstRecord + i };
        if (!hasKey(connection, each, key, isUnique)) continue;
        const message = foundStoredMessage(connection, topic, queue, unit.baseOffset + i, each);
        messages.push(message);
        bytes += message.length;
        last = { queue, offset: unit.baseOffset + i, timeMs: unit.storeTimeMs };
      }
    }
    if (last === null) {
      connection.answer(ticket, RESPONSE.QUERY_NOT_FOUND, `can not find message by key[${key}] in ${topic.name}`);
      return;
    }
    const reply = connection.begin(ticket, RESPONSE.SUCCESS);
    reply.number(UPDATE_TIMESTAMP, last.timeMs);
    const physical = (BigInt(physicalHigh(last.queue, last.offset)) << 32n) | BigInt(physicalLow(last.offset));
    reply.text(UPDATE_OFFSET, String(physical));
    reply.endHeader();
    for (const message of messages) reply.writer.bytes(message);
    connection.finish(ticket);
  });
};

function hasKey(
  connection: Connection,
  found: Parameters<typeof foundRecord>[1],
  key: string,
  isUnique: boolean,
): boolean {
  if (found.unit.format !== FORMAT.rocketmq) {
    const message = connection.broker.messages(found.unit)[found.record];
    return message !== undefined && (isUnique ? message.messageId === key : message.key?.toString() === key);
  }
  const { payload, place } = foundRecord(connection, found);
  const properties = readProperties(payload, place.propertiesStart, place.propertiesEnd);
  if (properties.get(PROPERTY.UNIQ_KEY) === key) return true;
  return !isUnique && (properties.get(PROPERTY.KEYS) ?? '').split(' ').includes(key);
}
