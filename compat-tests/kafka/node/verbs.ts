// What the drivers of Node's client libraries share: the fields of commands, records as JSON, and errors with Kafka's codes.
import type { Failure } from '../../harness/client-process.ts';
import type { WireRecord } from '../client.ts';

/** What a command may carry; which of it a verb needs is said in client.ts. */
export interface Fields {
  readonly id: number;
  readonly op: string;
  readonly topic: string;
  readonly partition?: number;
  readonly partitions?: unknown;
  readonly replicas?: number;
  readonly configs?: Record<string, string>;
  readonly messages: readonly SentMessage[];
  readonly producer?: ProducerFields;
  readonly group: string;
  readonly topics: readonly string[];
  readonly from?: number | string;
  readonly count?: number;
  readonly waitMs?: number;
  readonly consumer: string;
  readonly autoCommit?: boolean;
  readonly instance?: string;
  readonly sessionMs?: number;
  readonly heartbeatMs?: number;
  readonly offsets: readonly { topic: string; partition: number; offset: number; metadata?: string }[];
  readonly name: string;
  readonly type?: string;
  readonly ops: readonly { op?: string; name: string; value: string }[];
  readonly before: number;
}

export interface SentMessage {
  readonly key?: string | null;
  readonly value: string | null;
  readonly partition?: number;
  readonly headers?: readonly (readonly [string, string | null])[];
  readonly timestamp?: number;
}

interface ProducerFields {
  readonly acks?: '0' | '1' | 'all';
  readonly idempotent?: boolean;
  readonly compression?: string;
}

export const bytes = (base64: string | null | undefined): Buffer | null =>
  base64 == null ? null : Buffer.from(base64, 'base64');

export const base64 = (value: Uint8Array | null | undefined): string | null =>
  value ? Buffer.from(value).toString('base64') : null;

/** The broker's address, as the last argument. */
export const bootstrap = (): string => process.argv.at(-1)!;

export const acksOf = (fields: Fields): number => ({ '0': 0, '1': 1, all: -1 })[fields.producer?.acks ?? 'all'];

/** Takes what a reader was given until `count` records of the partition are there, in a consumer that is then closed. */
export async function collect(
  fields: Fields,
  take: (count: number, waitMs: number) => Promise<WireRecord[]>,
): Promise<WireRecord[]> {
  const first = typeof fields.from === 'number' ? fields.from : 0;
  const records: WireRecord[] = [];
  const deadline = Date.now() + (fields.waitMs ?? 30_000);
  while (records.length < (fields.count ?? 1) && Date.now() < deadline) {
    for (const one of await take(1, Math.min(500, Math.max(1, deadline - Date.now()))))
      if (one.partition === (fields.partition ?? 0) && one.offset >= first) records.push(one);
  }
  return records;
}

/** Offsets of the messages of one send, from the base offset that the client tells for each partition. */
export function placed(
  messages: readonly SentMessage[],
  bases: ReadonlyMap<number, number>,
): { partition: number; offset: number }[] {
  const next = new Map(bases);
  const only = bases.size === 1 ? [...bases.keys()][0] : undefined;
  return messages.map((message) => {
    const partition = message.partition ?? only ?? -1;
    const offset = next.get(partition) ?? -1;
    if (offset >= 0) next.set(partition, offset + 1);
    return { partition, offset };
  });
}

/** A library's error with the protocol's code, wherever the library hides it. */
export function failureOf(error: unknown): Failure {
  const code = codeIn(error, 0);
  if (!(error instanceof Error)) return { kind: 'Error', message: String(error), code };
  return { kind: error.name, message: `${error.name}: ${error.message}`, code };
}

function codeIn(error: unknown, depth: number): number | null {
  if (typeof error !== 'object' || error === null || depth > 8) return null;
  const shown = error as { code?: unknown; apiCode?: unknown; cause?: unknown; errors?: unknown };
  if (typeof shown.apiCode === 'number' && shown.apiCode > 0) return shown.apiCode;
  if (typeof shown.code === 'number' && shown.code > 0) return shown.code;
  for (const inner of [shown.cause, ...(Array.isArray(shown.errors) ? shown.errors : [])]) {
    const found = codeIn(inner, depth + 1);
    if (found !== null) return found;
  }
  return null;
}
