// Messages as tests write them, and how received ones are compared: bytes in base64 on the wire, text in failures.
import assert from 'node:assert/strict';
import type { AmqpProperties, ReceivedMessage, SentMessage } from '../drivers/driver.ts';

export const b64 = (text: string | Uint8Array): string => Buffer.from(text as Uint8Array).toString('base64');
export const text = (base64: string | null | undefined): string | null =>
  base64 == null ? null : Buffer.from(base64, 'base64').toString();

interface Written {
  key?: string | null;
  tag?: string | null;
  headers?: Record<string, string>;
  binaryHeaders?: Record<string, Uint8Array>;
  body: string | Uint8Array | null;
  queue?: number;
  routingKey?: string;
  properties?: AmqpProperties;
}

/** A message to send, from plain text and bytes. */
export function message({ key, body, binaryHeaders, ...rest }: Written): SentMessage {
  return {
    ...rest,
    body: body === null ? null : b64(body),
    ...(key === undefined ? {} : { key: key === null ? null : b64(key) }),
    ...(binaryHeaders
      ? { binaryHeaders: Object.fromEntries(Object.entries(binaryHeaders).map(([name, bytes]) => [name, b64(bytes)])) }
      : {}),
  };
}

/** Numbered messages: bodies `prefix-0`, `prefix-1` …, each with the key that `keyOf` gives it. */
export function numbered(
  count: number,
  prefix: string,
  keyOf: (i: number) => string | null = () => null,
): SentMessage[] {
  return Array.from({ length: count }, (_, i) => message({ key: keyOf(i), body: `${prefix}-${i}` }));
}

export const bodies = (messages: readonly ReceivedMessage[]): (string | null)[] =>
  messages.map((one) => text(one.body));
export const keys = (messages: readonly ReceivedMessage[]): (string | null)[] => messages.map((one) => text(one.key));

/** That a received message carries the sent one's key, tag, body and every header, byte for byte. */
export function assertSame(received: ReceivedMessage, sent: SentMessage): void {
  const wanted = {
    key: text(sent.key),
    tag: sent.tag ?? null,
    body: shown(sent.body ?? ''),
    headers: {
      ...Object.fromEntries(Object.entries(sent.headers ?? {}).map(([name, value]) => [name, b64(value)])),
      ...sent.binaryHeaders,
    },
  };
  const got = {
    key: text(received.key),
    tag: received.tag,
    body: shown(received.body ?? ''),
    headers: Object.fromEntries(Object.keys(wanted.headers).map((name) => [name, received.headers[name] ?? null])),
  };
  assert.deepEqual(got, wanted);
}

/** A body short enough for a failure's text; long ones by length and digest-like ends. */
function shown(base64: string): string {
  return base64.length <= 400 ? base64 : `${base64.length} characters, ${base64.slice(0, 40)}…${base64.slice(-40)}`;
}

/** The same texts in an order that does not depend on how they came. */
export const sorted = (texts: readonly (string | null)[]): string[] => texts.map((one) => one ?? '(null)').toSorted();
