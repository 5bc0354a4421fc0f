// What is carried from protocol to protocol, one case per line of the promise, and how each protocol shows it. A case is
// published only by those that can express it; every protocol must show it. The conventions are in specs/*/MAPPING.md.
import assert from 'node:assert/strict';
import type { ReceivedMessage, SentMessage } from '../drivers/driver.ts';
import { message, text } from '../harness/messages.ts';

export type Protocol = 'kafka' | 'rocketmq' | 'amqp';

export interface Case {
  readonly name: string;
  readonly message: SentMessage;
  readonly from: readonly Protocol[];
  /** Beyond key, tag, headers and body, which are compared for every case. */
  readonly also?: (received: ReceivedMessage, to: Protocol) => void;
}

export const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

const ALL: readonly Protocol[] = ['kafka', 'rocketmq', 'amqp'];
const BINARY = new Uint8Array([0, 1, 2, 0x7f, 0x80, 0xc3, 0x28, 0xfe, 0xff]);
const everyByte = (length: number): Uint8Array => new Uint8Array(length).map((_, i) => (i * 31 + (i >> 8)) & 0xff);

export const CASES: readonly Case[] = [
  { name: 'bytes', from: ALL, message: message({ key: 'bytes', body: everyByte(256) }) },
  { name: 'key', from: ALL, message: message({ key: 'customer-17', body: 'with a key' }) },
  { name: 'key outside ASCII', from: ALL, message: message({ key: 'schlüssel-鍵', body: 'with a key' }) },
  {
    name: 'null key',
    from: ALL,
    message: message({ key: null, body: 'without a key' }),
    also: (received, to) => to === 'amqp' || assert.equal(received.key, null),
  },
  { name: 'tag', from: ALL, message: message({ key: 'tagged', tag: 'PAID', body: 'with a tag' }) },
  { name: 'tag without key', from: ALL, message: message({ key: null, tag: 'PAID', body: 'with a tag' }) },
  {
    name: 'headers',
    from: ALL,
    message: message({
      key: 'h',
      body: 'with headers',
      headers: { region: 'north', größe: 'käse 鍵', 'with space': 'a b' },
    }),
  },
  // RocketMQ's Java client refuses an empty property itself.
  {
    name: 'empty header',
    from: ['kafka', 'amqp'],
    message: message({ key: 'h', body: 'with an empty header', headers: { empty: '' } }),
  },
  {
    name: 'traceparent',
    from: ALL,
    message: message({ key: 'traced', body: 'traced', headers: { traceparent: TRACEPARENT, tracestate: 'vendor=1' } }),
  },
  {
    name: 'binary header',
    from: ['kafka', 'amqp'],
    message: message({ key: 'bin', body: 'with a binary header', binaryHeaders: { raw: BINARY } }),
  },
  {
    name: 'null value',
    from: ['kafka'],
    message: message({ key: 'tombstone', body: null }),
    also: (received, to) => assert.equal(isNullBody(received, to), true, 'told apart from an empty one'),
  },
  // Both RocketMQ clients refuse to send an empty body themselves.
  {
    name: 'empty body',
    from: ['kafka', 'amqp'],
    message: message({ key: 'empty', body: '' }),
    also: (received, to) => assert.equal(isNullBody(received, to), false, 'told apart from a null one'),
  },
  { name: '1 MiB body', from: ALL, message: message({ key: 'big', body: everyByte(1024 * 1024) }) },
];

/** Which case a received message belongs to; each is sent with a header that says so. */
const CASE_HEADER = 'compat-case';

export const toSend = (one: Case): SentMessage => ({
  ...one.message,
  headers: { ...one.message.headers, [CASE_HEADER]: one.name },
});

export const caseOf = (received: ReceivedMessage): string | null => text(received.headers[CASE_HEADER]);

interface Extra {
  nullBody?: true;
  headers?: [number, string, string | null, string?][];
}

/** Where RocketMQ clients find what their protocol has no place for (specs/rocketmq/MAPPING.md). */
function extraOf(received: ReceivedMessage): Extra {
  return JSON.parse(text(received.headers['__ROSETTA_EXTRA']) ?? '{}') as Extra;
}

function isNullBody(received: ReceivedMessage, to: Protocol): boolean {
  if (to === 'kafka') return received.body === null;
  if (to === 'rocketmq') return extraOf(received).nullBody === true;
  return text(received.headers['x-tombstone']) === 'true';
}

/** The record key as each protocol tells it: AMQP by the routing key, which is the tag where there is no key. */
function assertKey(received: ReceivedMessage, sent: SentMessage, from: Protocol, to: Protocol): void {
  if (to !== 'amqp') assert.equal(text(received.key), text(sent.key ?? null), 'key');
  else
    assert.equal(
      received.routingKey,
      text(sent.key ?? null) ?? (from === 'amqp' ? '' : (sent.tag ?? '')),
      'routing key',
    );
}

function headerOf(received: ReceivedMessage, name: string, to: Protocol): string | null | undefined {
  if (to === 'rocketmq' && !(name in received.headers))
    return extraOf(received).headers?.find(([, header]) => header === name)?.[2];
  return received.headers[name];
}

/** That a message arrived as its case demands. */
export function assertArrived(received: ReceivedMessage | undefined, one: Case, from: Protocol, to: Protocol): void {
  assert.ok(received, 'did not arrive');
  const sent = toSend(one);
  assertKey(received, sent, from, to);
  assert.equal(received.tag, sent.tag ?? null, 'tag');
  for (const [name, value] of Object.entries(sent.headers ?? {}))
    assert.equal(text(headerOf(received, name, to) ?? null), value, `header ${name}`);
  for (const [name, value] of Object.entries(sent.binaryHeaders ?? {}))
    assert.equal(headerOf(received, name, to), value, `header ${name} in base64`);
  assert.ok(Buffer.from(received.body ?? '', 'base64').equals(Buffer.from(sent.body ?? '', 'base64')), 'body');
  one.also?.(received, to);
}

export const expectedOrder = (from: Protocol): string[] =>
  CASES.filter((one) => one.from.includes(from)).map((one) => one.name);
