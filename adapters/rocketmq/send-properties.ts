// One pass over the properties of a message being sent, for what the broker itself acts on.
//
// Invariant: the pass reads names by length and first bytes; a usual message costs no string.

import { TAG_NONE, type TimeMs } from '../../core/types.ts';
import { KEYS_MAX, keyHashOf } from '../../core/verbs.ts';
import { DELAY_LEVELS_MS, PROPERTY, PROPERTY_NAME_END, PROPERTY_VALUE_END } from '../../specs/rocketmq/constants.ts';
import { tagHash } from './tags.ts';

/** Words of one message that are indexed; further ones are not. */
const WORDS_MAX = 64;
const SPACE = 0x20;
/** The log keeps times with 48 bits. */
const TIME_MS_MAX = 2 ** 48 - 1;

const TIMER_NAMES: ReadonlySet<string> = new Set([
  PROPERTY.TIMER_DELIVER_MS,
  PROPERTY.TIMER_DELAY_MS,
  PROPERTY.TIMER_DELAY_SEC,
]);

/** Filled by `scan`; reused from message to message. */
export class SendProperties {
  tagHash = TAG_NONE;
  /** Hashes of the words to find the messages since `begin` by (KEYS and UNIQ_KEY). */
  readonly keys: number[] = [];
  /** The UNIQ_KEY of the first message since `begin`, '' when it has none or nobody wants to know it. */
  uniqueKey = '';
  /** Range of the sharding key's or else the KEYS value, -1 when there is neither. */
  keyStart = -1;
  keyEnd = -1;
  isTransaction = false;
  /** DELAY, 0 when absent; -1 when it is no level. */
  delayLevel = 0;
  /** A TIMER_… property stands in it: its name and value. */
  timer = '';
  timerValue = '';
  /**
   * Has a property that must not be stored (DELAY once it is obeyed; POP_CK and what the broker adds, of a message that
   * was received before).
   */
  mustRewrite = false;
  #hasShardingKey = false;
  #wantsUniqueKey = false;
  /** Words of this message. */
  #words = 0;

  begin(wantsUniqueKey: boolean): void {
    while (this.keys.length > 0) this.keys.pop();
    this.uniqueKey = '';
    this.#wantsUniqueKey = wantsUniqueKey;
  }

  scan(buffer: Buffer, start: number, end: number): void {
    this.tagHash = TAG_NONE;
    this.keyStart = -1;
    this.keyEnd = -1;
    this.isTransaction = false;
    this.delayLevel = 0;
    this.timer = '';
    this.mustRewrite = false;
    this.#hasShardingKey = false;
    this.#words = 0;
    let at = start;
    while (at < end) {
      let nameEnd = -1;
      let valueEnd = at;
      for (; valueEnd < end; valueEnd++) {
        const byte = buffer[valueEnd]!;
        if (byte === PROPERTY_VALUE_END) break;
        if (byte === PROPERTY_NAME_END && nameEnd < 0) nameEnd = valueEnd;
      }
      if (nameEnd > at) this.#property(buffer, at, nameEnd, nameEnd + 1, valueEnd);
      at = valueEnd + 1;
    }
  }

  /** When the message is due, 0 at once. Null when what it says is no time, or one further away than the log can say. */
  dueMs(nowMs: TimeMs): TimeMs | null {
    if (this.delayLevel !== 0) {
      if (this.delayLevel < 0) return null;
      return nowMs + DELAY_LEVELS_MS[Math.min(this.delayLevel, DELAY_LEVELS_MS.length) - 1]!;
    }
    if (this.timer === '') return 0;
    if (!/^\d{1,15}$/.test(this.timerValue)) return null;
    const value = Number(this.timerValue);
    if (this.timer === PROPERTY.TIMER_DELIVER_MS) return value <= nowMs ? 0 : value > TIME_MS_MAX ? null : value;
    const due = nowMs + (this.timer === PROPERTY.TIMER_DELAY_SEC ? value * 1000 : value);
    return due > TIME_MS_MAX ? null : due;
  }

  #property(buffer: Buffer, start: number, nameEnd: number, value: number, end: number): void {
    const first = buffer[start]!;
    switch (nameEnd - start) {
      case 4:
        if (first === 0x54 && same(buffer, start, PROPERTY.TAGS)) this.tagHash = hashOf(buffer, value, end);
        else if (first === 0x4b && same(buffer, start, PROPERTY.KEYS)) this.#keys(buffer, value, end);
        break;
      case 5:
        if (first === 0x44 && same(buffer, start, PROPERTY.DELAY)) this.#delay(buffer.toString('latin1', value, end));
        break;
      case 6:
        if (first === 0x50 && same(buffer, start, PROPERTY.POP_CK)) this.mustRewrite = true;
        break;
      case 8:
        if (first === 0x55 && same(buffer, start, PROPERTY.UNIQ_KEY)) this.#unique(buffer, value, end);
        else if (first === 0x54 && same(buffer, start, PROPERTY.TRACE_ON)) this.mustRewrite = true;
        else if (first === 0x54 && same(buffer, start, PROPERTY.TRAN_MSG)) {
          this.isTransaction = buffer.toString('latin1', value, end).toLowerCase() === 'true';
        }
        break;
      case 7:
        if (first === 0x43 && same(buffer, start, PROPERTY.CLUSTER)) this.mustRewrite = true;
        break;
      case 10:
        if (first === 0x4d && same(buffer, start, PROPERTY.MSG_REGION)) this.mustRewrite = true;
        break;
      case 13:
        if (first === 0x5f && same(buffer, start, PROPERTY.SHARDING_KEY)) {
          this.keyStart = value;
          this.keyEnd = end;
          this.#hasShardingKey = true;
        }
        break;
      case 14:
      case 15:
      case 16:
        if (first === 0x54) this.#timer(buffer, start, nameEnd, value, end);
        break;
    }
  }

  #unique(buffer: Buffer, start: number, end: number): void {
    if (this.#wantsUniqueKey && this.uniqueKey === '') this.uniqueKey = buffer.toString('utf8', start, end);
    this.#word(buffer, start, end);
  }

  #keys(buffer: Buffer, start: number, end: number): void {
    if (!this.#hasShardingKey) {
      this.keyStart = start;
      this.keyEnd = end;
    }
    let word = start;
    for (let at = start; at <= end; at++) {
      if (at < end && buffer[at] !== SPACE) continue;
      this.#word(buffer, word, at);
      word = at + 1;
    }
  }

  #word(buffer: Buffer, start: number, end: number): void {
    if (start === end || this.#words === WORDS_MAX || this.keys.length === KEYS_MAX) return;
    this.#words++;
    this.keys.push(keyHashOf(buffer, start, end));
  }

  #delay(level: string): void {
    this.mustRewrite = true;
    this.delayLevel = /^\d{1,9}$/.test(level) ? Number(level) : -1;
  }

  #timer(buffer: Buffer, start: number, nameEnd: number, value: number, end: number): void {
    const name = buffer.toString('latin1', start, nameEnd);
    if (!TIMER_NAMES.has(name)) return;
    this.timer = name;
    this.timerValue = buffer.toString('latin1', value, end);
  }
}

function hashOf(buffer: Buffer, start: number, end: number): number {
  let hash = 0;
  for (let i = start; i < end; i++) {
    const byte = buffer[i]!;
    // The hash is over UTF-16, which only ASCII has byte by byte.
    if (byte >= 0x80) return tagHash(buffer.toString('utf8', start, end));
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  return hash;
}

function same(buffer: Buffer, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) if (buffer[start + i] !== name.charCodeAt(i)) return false;
  return true;
}
