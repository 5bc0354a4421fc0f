/**
 * What a message looks like after it died: RabbitMQ's `x-death` headers in front of its own, its expiration gone, and
 * published to the dead-letter target under that exchange and key.
 *
 * Invariants: deaths of the same queue for the same reason are one entry, which is moved to the front and counted up;
 * `x-first-death-…` is written once and stays, `x-last-death-…` is written anew each time.
 */

import type { Death } from '../../core/types.ts';
import type { Properties } from './content-properties.ts';
import { readProperties } from './content-properties.ts';
import type { FieldTable, FieldValue, TableEntry } from './field-table.ts';
import { fieldOf } from './field-table.ts';
import { makeStored, StoredView } from './stored-message.ts';

const reasons = {
  rejected: 'rejected',
  expired: 'expired',
  'delivery-limit': 'delivery_limit',
  'max-length': 'maxlen',
} as const satisfies Record<Death['reason'], string>;

const deathsHeader = 'x-death';

/** The stored form of the dead letter made from a stored message. */
export function deadLetterOf(payload: Buffer, death: Death): { payload: Buffer; copies: string[]; avoid: string[] } {
  const view = new StoredView().read(payload);
  const properties = readProperties(payload, view.propertiesAt, view.propertiesAt + view.propertiesBytes);
  const exchange = payload.toString('utf8', view.exchangeAt, view.exchangeAt + view.exchangeBytes);
  const routingKey = payload.toString('utf8', view.routingKeyAt, view.routingKeyAt + view.routingKeyBytes);
  const body = payload.subarray(view.bodyAt, view.bodyAt + view.bodyBytes);
  const newKey = death.target?.routingKey ?? null;
  const copies = newKey === null ? copiesIn(properties.headers ?? [], 'CC') : [];
  const headers = headersAfter(properties, death, exchange, routingKey);
  const { expiration: _dropped, headers: _old, ...kept } = properties;
  // Another routing key takes the place of all.
  const next: Properties = {
    ...kept,
    headers: newKey === null ? headers : headers.filter((entry) => entry.key !== 'CC'),
  };
  return {
    payload: makeStored(view.publishedMs, death.target?.exchange ?? exchange, newKey ?? routingKey, next, body),
    copies,
    avoid: automaticIn(headers),
  };
}

function headersAfter(properties: Properties, death: Death, exchange: string, routingKey: string): FieldTable {
  const headers = properties.headers ?? [];
  const reason = reasons[death.reason];
  const own = headers.filter((entry) => !entry.key.startsWith('x-last-death-'));
  const deaths = fieldOf(headers, deathsHeader);
  const earlier = deaths?.type === 'A' ? deaths.value : [];
  const same = earlier.find((entry) => isDeath(entry, death.topic, reason));
  const entry = same === undefined ? newDeath(properties, death, reason, exchange, routingKey) : countedUp(same);
  // RabbitMQ sorts the keys of what it puts in front of others, and leaves the header in its place.
  const value = [deaths?.type === 'A' ? sorted(entry) : entry, ...earlier.filter((other) => other !== same)];
  const header: TableEntry = { key: deathsHeader, field: { type: 'A', value } };
  const after = own.map((one) => (one.key === deathsHeader ? header : one));
  if (deaths === undefined) after.push(header);
  if (deaths === undefined) after.push(...which('first', death.topic, reason, exchange));
  after.push(...which('last', death.topic, reason, exchange));
  return after;
}

/**
 * The queues it came through since it was last rejected. Into one of them it would come again by itself, and so for
 * ever: RabbitMQ drops it there.
 */
function automaticIn(headers: FieldTable): string[] {
  const deaths = fieldOf(headers, deathsHeader);
  const queues: string[] = [];
  for (const entry of deaths?.type === 'A' ? deaths.value : []) {
    if (entry.type !== 'F' || textOf(entry.value, 'reason') === reasons.rejected) break;
    queues.push(textOf(entry.value, 'queue') ?? '');
  }
  return queues;
}

/** Further routing keys that a header names; what in it is no text is left out. */
export function copiesIn(headers: FieldTable, name: 'CC' | 'BCC'): string[] {
  const field = fieldOf(headers, name);
  if (field?.type !== 'A') return [];
  return field.value.flatMap((value) => (value.type === 'S' ? [value.value.toString()] : []));
}

function sorted(entry: FieldValue): FieldValue {
  if (entry.type !== 'F') return entry;
  return { type: 'F', value: [...entry.value].sort((a, b) => (a.key < b.key ? -1 : 1)) };
}

function which(when: 'first' | 'last', queue: string, reason: string, exchange: string): TableEntry[] {
  return [
    { key: `x-${when}-death-exchange`, field: text(exchange) },
    { key: `x-${when}-death-queue`, field: text(queue) },
    { key: `x-${when}-death-reason`, field: text(reason) },
  ];
}

function newDeath(
  properties: Properties,
  death: Death,
  reason: string,
  exchange: string,
  routingKey: string,
): FieldValue {
  const entry: TableEntry[] = [
    { key: 'count', field: { type: 'l', value: 1n } },
    { key: 'reason', field: text(reason) },
    { key: 'queue', field: text(death.topic) },
    { key: 'time', field: { type: 'T', value: BigInt(Math.floor(death.atMs / 1000)) } },
    { key: 'exchange', field: text(exchange) },
    {
      key: 'routing-keys',
      field: { type: 'A', value: [routingKey, ...copiesIn(properties.headers ?? [], 'CC')].map(text) },
    },
  ];
  if (properties.expiration !== undefined)
    entry.push({ key: 'original-expiration', field: text(properties.expiration) });
  return { type: 'F', value: entry };
}

/** A publisher may have sent the header with any count. */
const countMax = 2n ** 63n - 1n;

function countedUp(death: FieldValue): FieldValue {
  if (death.type !== 'F') return death;
  return {
    type: 'F',
    value: death.value.map((entry) =>
      entry.key === 'count' && entry.field.type === 'l' && entry.field.value < countMax
        ? { key: 'count', field: { type: 'l', value: entry.field.value + 1n } as const }
        : entry,
    ),
  };
}

function isDeath(entry: FieldValue, queue: string, reason: string): boolean {
  return entry.type === 'F' && textOf(entry.value, 'queue') === queue && textOf(entry.value, 'reason') === reason;
}

function textOf(table: FieldTable, key: string): string | null {
  const field = fieldOf(table, key);
  return field?.type === 'S' ? field.value.toString() : null;
}

function text(value: string): FieldValue {
  return { type: 'S', value: Buffer.from(value) };
}
