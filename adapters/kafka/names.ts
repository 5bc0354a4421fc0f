// Topic names: Kafka's spelling of the canonical ones (specs/kafka/MAPPING.md, "Names").
//
// Kafka allows 1 to 249 of [a-zA-Z0-9._-], but not "." and "..". Every other byte is spelled `..HH`, upper-case
// hexadecimal; a dot stays as it is unless it would begin what looks like such an escape, then it is `..2E`. A spelling
// over Kafka's limit is cut and ends in `..` and a hash.
//
// Invariants: names legal in Kafka and without such a look-alike are spelled as they are; `unspell` undoes every
// spelling that was not cut, and refuses every other name, so that a topic has one name only.

import { createHash } from 'node:crypto';
import type { Topic } from '../../core/types.ts';
import type { Verbs } from '../../core/verbs.ts';

const TOPIC_CHARS_MAX = 249;
const HASH_CHARS = 32;
const LEGAL = /^[a-zA-Z0-9._-]+$/;
const ESCAPE = /\.\.[0-9A-F]{2}/;
const CUT = /\.\.h[0-9a-f]{32}$/;
const DOT = 0x2e;

/** The Kafka spelling of a canonical topic name. */
export function spell(name: string): string {
  if (name.length <= TOPIC_CHARS_MAX && LEGAL.test(name) && !ESCAPE.test(name) && !CUT.test(name) && !isDots(name)) {
    return name;
  }
  const bytes = Buffer.from(name);
  let spelled = '';
  for (let i = 0; i < bytes.length; i++) {
    const char = String.fromCharCode(bytes[i]!);
    const plain = bytes[i] === DOT ? !isDots(name) && !looksEscaped(bytes, i) : LEGAL.test(char);
    spelled += plain ? char : `..${bytes[i]!.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  if (spelled.length <= TOPIC_CHARS_MAX && !CUT.test(spelled)) return spelled;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_CHARS);
  const cut = `${spelled.slice(0, TOPIC_CHARS_MAX - HASH_CHARS - 3)}..h${hash}`;
  remember(cut, name);
  return cut;
}

/** Kafka's own topics: nobody may make one of that name, because clients take it for what it is there. */
export const RESERVED: readonly RegExp[] = [
  /^__(consumer_offsets|transaction_state|share_group_state|cluster_metadata)$/,
];

export function isReserved(name: string): boolean {
  return RESERVED.some((pattern) => pattern.test(name));
}

/** The canonical name behind a spelling, or null when no topic can be spelled so. Cut names need `topicNamed`. */
export function unspell(spelling: string): string | null {
  if (spelling.length === 0 || spelling.length > TOPIC_CHARS_MAX || !LEGAL.test(spelling)) return null;
  if (isDots(spelling)) return null;
  if (!ESCAPE.test(spelling) && !CUT.test(spelling)) return spelling;
  const source = Buffer.from(spelling, 'latin1');
  const target: number[] = [];
  for (let i = 0; i < source.length; i++) {
    if (isEscape(source, i)) {
      target.push(Number.parseInt(source.toString('latin1', i + 2, i + 4), 16));
      i += 3;
    } else target.push(source[i]!);
  }
  const name = Buffer.from(target).toString();
  return spell(name) === spelling ? name : null;
}

/** The topic that a client means, null when there is none. */
export function topicNamed(broker: Verbs, namespace: string, spelling: string): Topic | null {
  const name = unspell(spelling);
  if (name !== null) return broker.topic(namespace, name);
  const cut = cutNames.get(spelling);
  return cut === undefined ? null : broker.topic(namespace, cut);
}

/**
 * Cut names that were spelled lately, and what they are: a client learns such a name from us, so it is here before it
 * comes back. After a restart the first listing of topics brings them back.
 */
const cutNames = new Map<string, string>();
const CUT_NAMES_MAX = 10_000;

function remember(cut: string, name: string): void {
  if (cutNames.size >= CUT_NAMES_MAX) cutNames.delete(cutNames.keys().next().value!);
  cutNames.set(cut, name);
}

function isDots(name: string): boolean {
  return name === '.' || name === '..';
}

function isHex(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46));
}

function isEscape(bytes: Buffer, at: number): boolean {
  return bytes[at] === DOT && bytes[at + 1] === DOT && isHex(bytes[at + 2]) && isHex(bytes[at + 3]);
}

function looksEscaped(bytes: Buffer, at: number): boolean {
  return isEscape(bytes, at) || (bytes[at] === DOT && bytes[at + 1] === DOT && bytes[at + 2] === 0x68);
}
