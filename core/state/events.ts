/**
 * State changes as they lie in the log: JSON, one per state part. An event holds the whole new row (never a
 * difference), so folding it twice, or over a newer row that later entries make again, changes nothing in the end.
 * An event's meaning never changes: what is new gets a new `k`.
 */
import type {
  AccessRule,
  Binding,
  Exchange,
  GroupAttributes,
  GroupId,
  QueueNumber,
  TopicAttributes,
  TopicId,
  TopicKind,
} from '../types.ts';

export interface TopicRow {
  id: TopicId;
  namespace: string;
  kind: TopicKind;
  name: string;
  uuid: string;
  queues: QueueNumber[];
  layout: { id: number; ordered: boolean; parents: number[] };
  attributes: TopicAttributes;
  ownGroup: GroupId;
}

export interface GroupRow {
  id: GroupId;
  namespace: string;
  name: string;
  attributes: GroupAttributes;
}

/** What checks a password without holding it, or a secret sealed under the master key; the kind says which. */
export interface CredentialRow {
  user: string;
  kind: string;
  value: Record<string, string | number>;
}

export type StateEvent =
  | { k: 'cluster'; id: string }
  | { k: 'topic'; row: TopicRow }
  | { k: 'topic-gone'; id: TopicId; queues: QueueNumber[] }
  | { k: 'group'; row: GroupRow }
  | { k: 'group-gone'; id: GroupId }
  | { k: 'generation'; group: GroupId; generation: number; data: Buffer | null }
  | { k: 'offsets-gone'; group: GroupId; queues: QueueNumber[] }
  | { k: 'exchange'; row: Exchange }
  | { k: 'exchange-gone'; namespace: string; name: string }
  | { k: 'bind'; row: Binding }
  | { k: 'unbind'; row: Binding }
  | { k: 'credential'; row: CredentialRow }
  | { k: 'user-gone'; name: string }
  | { k: 'rule'; row: AccessRule }
  | { k: 'rule-gone'; id: string }
  /** A text kept for a protocol or an operator; null removes it. */
  | { k: 'setting'; scope: string; key: string; value: string | null }
  /** Of each queue its number, then epoch and first offset of each epoch (snapshots only: the entries say it as well). */
  | { k: 'epochs'; rows: number[][] }
  /** One kind of a user's credentials; with the last one the user goes. */
  | { k: 'credential-gone'; user: string; kind: string }
  /** Producer ids below `next` have been given out. */
  | { k: 'producers'; next: number }
  /** Ids and queue numbers below these have been given out (snapshots only: the rows that carried them may be gone). */
  | { k: 'counters'; topic: number; group: number; queue: number; set: number };

export function encodeEvent(event: StateEvent): Buffer {
  return Buffer.from(
    JSON.stringify(event, (_key, value: unknown) =>
      // Buffer.toJSON has run already when the replacer sees it.
      isBufferJson(value) ? { $b: Buffer.from(value.data).toString('base64') } : value,
    ),
  );
}

export function decodeEvent(bytes: Buffer): StateEvent {
  return JSON.parse(bytes.toString('utf8'), (_key, value: unknown) =>
    isBase64(value) ? Buffer.from(value.$b, 'base64') : value,
  ) as StateEvent;
}

function isBufferJson(value: unknown): value is { type: 'Buffer'; data: number[] } {
  return (
    typeof value === 'object' &&
    value !== null &&
    (value as { type?: unknown }).type === 'Buffer' &&
    Array.isArray((value as { data?: unknown }).data)
  );
}

function isBase64(value: unknown): value is { $b: string } {
  return typeof value === 'object' && value !== null && typeof (value as { $b?: unknown }).$b === 'string';
}
