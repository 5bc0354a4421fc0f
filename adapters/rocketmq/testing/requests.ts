// Requests as clients write them, and the layout in which they read messages.

import { expect } from 'vitest';

export const sendFields = (
  topic: string,
  properties = '',
  more: Record<string, unknown> = {},
): Record<string, unknown> => ({
  a: 'PG',
  b: topic,
  c: 'TBW102',
  d: '4',
  e: '0',
  f: '0',
  g: '1700000000000',
  h: '0',
  i: properties,
  j: '0',
  k: 'false',
  m: 'false',
  ...more,
});

/** The body of a batch: messages with these properties, the texts 0, 1, … as bodies. */
export function batchBody(properties: readonly string[]): Buffer {
  const messages = properties.map((text, n) => {
    const body = Buffer.from(String(n));
    const message = Buffer.alloc(22 + body.length + text.length);
    message.writeInt32BE(message.length, 0);
    message.writeInt32BE(body.length, 16);
    body.copy(message, 20);
    message.writeInt16BE(text.length, 20 + body.length);
    message.write(text, 22 + body.length, 'latin1');
    return message;
  });
  return Buffer.concat(messages);
}

export const pullFields = (
  topic: string,
  offset: number,
  more: Record<string, unknown> = {},
): Record<string, unknown> => ({
  consumerGroup: 'CG',
  topic,
  queueId: '0',
  queueOffset: String(offset),
  maxMsgNums: '32',
  sysFlag: '4',
  commitOffset: '0',
  suspendTimeoutMillis: '1000',
  subscription: '*',
  subVersion: '1',
  expressionType: 'TAG',
  ...more,
});

export interface Unit {
  queueId: number;
  offset: number;
  physical: bigint;
  reconsumeTimes: number;
  body: string;
  topic: string;
  properties: string;
}

/** Reads a pull body by the layout of the protocol (IPv4 hosts, magic V1). */
export function units(body: Buffer): Unit[] {
  const found: Unit[] = [];
  for (let at = 0; at < body.length; at += body.readInt32BE(at)) {
    expect(body.readInt32BE(at + 4)).toBe(0xdaa320a7 | 0);
    const bodyEnd = at + 88 + body.readInt32BE(at + 84);
    const topicEnd = bodyEnd + 1 + body[bodyEnd]!;
    found.push({
      queueId: body.readInt32BE(at + 12),
      offset: Number(body.readBigInt64BE(at + 20)),
      physical: body.readBigInt64BE(at + 28),
      reconsumeTimes: body.readInt32BE(at + 72),
      body: body.toString('utf8', at + 88, bodyEnd),
      topic: body.toString('utf8', bodyEnd + 1, topicEnd),
      properties: own(body.toString('utf8', topicEnd + 2, topicEnd + 2 + body.readInt16BE(topicEnd))),
    });
  }
  return found;
}

export const heartbeat = (clientId: string, group: string, topic: string, expression = '*', version = 1): string =>
  JSON.stringify({
    clientID: clientId,
    producerDataSet: [],
    consumerDataSet: [
      {
        groupName: group,
        consumeType: 'CONSUME_PASSIVELY',
        messageModel: 'CLUSTERING',
        consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
        subscriptionDataSet: [{ topic, subString: expression, subVersion: version, tagsSet: [], codeSet: [] }],
        unitMode: false,
      },
    ],
  });

const ADDED = 'MSG_REGION\u0001DefaultRegion\u0002TRACE_ON\u0001true\u0002CLUSTER\u0001DefaultCluster\u0002';

/** The message's own properties: what the broker adds stands behind them, once. */
function own(properties: string): string {
  expect(properties.split(ADDED)).toEqual([expect.any(String), '']);
  return properties.slice(0, -ADDED.length);
}
