// Names: RocketMQ's spelling of the canonical ones (specs/rocketmq/MAPPING.md, "Names").
//
// RocketMQ allows letters, digits and `%|_-` in names. Everything else is spelled `%HH` per UTF-8 byte, upper-case
// hexadecimal; a `%` stays as it is unless what follows would make it look like such an escape, then it is `%25`.
// A spelling over RocketMQ's limit is cut and ends in a hash.
//
// Invariants: names legal in RocketMQ and without such a look-alike are spelled as they are; spell and unspell are
// inverse to each other on everything `spell` gives and the limit does not cut.

import { createHash } from 'node:crypto';
import type { TopicKind } from '../../core/types.ts';
import { DLQ_PREFIX, GROUP_CHARS_MAX, RETRY_PREFIX, TOPIC_CHARS_MAX } from '../../specs/rocketmq/constants.ts';

const PERCENT = 0x25;
const LEGAL_PATTERN = /^[%|a-zA-Z0-9_-]+$/;
const HASH_MARK = '%H';
const HASH_CHARS = 16;

/** The RocketMQ spelling of a topic, without a limit on its length. */
export function spell(name: string): string {
  if (/^[a-zA-Z0-9_|-]*$/.test(name)) return name;
  // A name that reads as itself needs no escape, whatever its percent signs look like.
  if (LEGAL_PATTERN.test(name) && unspell(name) === name) return name;
  const bytes = Buffer.from(name);
  let spelled = '';
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === PERCENT ? isEscape(bytes, i) : !isLegal(byte)) spelled += `%${hex(byte)}`;
    else spelled += String.fromCharCode(byte);
  }
  return spelled;
}

/**
 * The canonical name behind a spelling. A text that is no name's spelling stands for itself, such as one whose escapes
 * are not UTF-8: a namespace before a name like `ABC` makes `ns%ABC`.
 */
export function unspell(spelling: string): string {
  if (!spelling.includes('%')) return spelling;
  const source = Buffer.from(spelling);
  const target = Buffer.alloc(source.length);
  let to = 0;
  for (let i = 0; i < source.length; i++) {
    if (source[i] === PERCENT && isEscape(source, i)) {
      target[to++] = Number.parseInt(source.toString('latin1', i + 1, i + 3), 16);
      i += 2;
    } else target[to++] = source[i]!;
  }
  if (to === source.length) return spelling;
  const name = target.toString('utf8', 0, to);
  const isText = Buffer.from(name).equals(target.subarray(0, to));
  // The name is shorter, so asking for its spelling, which asks for a name again, comes to an end.
  return isText && spell(name) === spelling ? name : spelling;
}

/** A spelling within RocketMQ's limit. A cut one cannot be undone; `isCut` says so and the owner of the names searches. */
export function spellWithin(name: string, charsMax: number): string {
  const spelling = spell(name);
  if (spelling.length <= charsMax) return spelling;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_CHARS).toUpperCase();
  return spelling.slice(0, charsMax - HASH_MARK.length - HASH_CHARS) + HASH_MARK + hash;
}

export function isCut(spelling: string): boolean {
  return /%H[0-9A-F]{16}$/.test(spelling);
}

/** What a topic of the wire is in the core. */
export interface CoreName {
  kind: TopicKind;
  name: string;
}

/** The core's kind and name for a topic as a client names it; null when it can be none. */
export function coreName(topic: string): CoreName | null {
  const kind = topic.startsWith(RETRY_PREFIX) ? 'retry' : topic.startsWith(DLQ_PREFIX) ? 'dead-letter' : 'topic';
  const prefix = kind === 'retry' ? RETRY_PREFIX.length : kind === 'dead-letter' ? DLQ_PREFIX.length : 0;
  const name = unspell(topic.slice(prefix));
  return name === '' ? null : { kind, name };
}

/** The wire's name of a topic of the core. */
export function wireTopic(kind: TopicKind, name: string): string {
  if (kind === 'retry') return RETRY_PREFIX + spellWithin(name, GROUP_CHARS_MAX);
  if (kind === 'dead-letter') return DLQ_PREFIX + spellWithin(name, GROUP_CHARS_MAX);
  return spellWithin(name, TOPIC_CHARS_MAX);
}

const NAME_PATTERN = LEGAL_PATTERN;

/** True when a client may use this text as the name of a topic or group. */
export function isWireName(name: string, charsMax: number): boolean {
  return name.length <= charsMax && NAME_PATTERN.test(name);
}

/** True when bytes[i …) reads as an escape: of a byte that must be spelled, or of the `%` of such an escape. */
function isEscape(bytes: Buffer, i: number): boolean {
  // "%25" before something that would be an escape if it had a '%': decided by what stands behind, so look ahead.
  let at = i + 1;
  for (;;) {
    const value = hexByte(bytes, at);
    if (value < 0) return false;
    if (value !== PERCENT) return !isLegal(value);
    at += 2;
  }
}

function hexByte(bytes: Buffer, at: number): number {
  if (at + 1 >= bytes.length) return -1;
  const high = hexDigit(bytes[at]!);
  const low = hexDigit(bytes[at + 1]!);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  return byte >= 0x41 && byte <= 0x46 ? byte - 0x37 : -1;
}

function isLegal(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x5f ||
    byte === 0x2d ||
    byte === 0x7c ||
    byte === PERCENT
  );
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0');
}
