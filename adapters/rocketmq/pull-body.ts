// The messages of one pull reply: picked from what was read, then written behind the header, which must tell before them
// how many bytes they take and where to go on.
//
// One object serves all pulls, since picking and writing are one synchronous stretch.
//
// Invariants:
// - control records and records that the filter holds back are passed over;
// - a reply has at least one message if there is one, and otherwise keeps to its limits;
// - messages of other formats are converted into the node's scratch, which may move while it grows: only positions in
//   it are kept.

import { BrokerError } from '../../core/errors.ts';
import {
  type Message,
  type Offset,
  type ReadBatch,
  type ReadLimits,
  type ReadUnit,
  TAG_MIXED,
  type TimeMs,
  UNIT,
} from '../../core/types.ts';
import { FORMAT } from '../adapter.ts';
import type { Writer } from '../wire/writer.ts';
import { toRecord } from './canonical.ts';
import type { BrokerNode } from './node.ts';
import { findProperty } from './properties.ts';
import { locate, newRecordPlace, nextRecord, recordAt } from './record.ts';
import { type Delivery, putStoredMessage, storedMessageBytes } from './stored-message.ts';
import { tagHash } from './tags.ts';

const TAGS = Buffer.from('TAGS');
/** Host of a message that no RocketMQ client sent. */
const NO_HOST = Buffer.alloc(8);

const place = newRecordPlace();

class PullBody {
  /** Where the next pull goes on. */
  nextOffset: Offset = 0;
  #bytes = 0;
  // One row per message. A null payload is the node's scratch.
  readonly #payloads: (Buffer | null)[] = [];
  readonly #starts: number[] = [];
  readonly #offsets: Offset[] = [];
  readonly #storeTimes: TimeMs[] = [];

  get count(): number {
    return this.#offsets.length;
  }

  /** How many bytes `write` will write. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Picks from offset `from` up to the last stable offset. False when nothing passes. */
  collect(
    node: BrokerNode,
    batch: ReadBatch,
    from: Offset,
    stableOffset: Offset,
    limits: ReadLimits,
    delivery: Delivery,
  ): boolean {
    this.#payloads.length = 0;
    this.#starts.length = 0;
    this.#offsets.length = 0;
    this.#storeTimes.length = 0;
    this.#bytes = 0;
    this.nextOffset = Math.min(batch.nextOffset, stableOffset);
    node.incoming.begin();
    for (const unit of batch.units) {
      if (unit.baseOffset >= stableOffset) break;
      if ((unit.flags & UNIT.control) !== 0) continue;
      const isOwn = unit.format === FORMAT.rocketmq;
      const isWhole = isOwn
        ? this.#own(unit, from, limits, delivery)
        : this.#foreign(node, unit, from, limits, delivery);
      if (!isWhole) break;
    }
    return this.#offsets.length > 0;
  }

  /** Writes what was picked, and lets go of it. */
  write(node: BrokerNode, writer: Writer, delivery: Delivery): void {
    let at = writer.claim(this.#bytes);
    const converted = node.incoming.buffer;
    for (let i = 0; i < this.#offsets.length; i++) {
      const payload = this.#payloads[i] ?? converted;
      locate(payload, this.#starts[i]!, place);
      at = putStoredMessage(writer.buffer, at, payload, place, delivery, this.#offsets[i]!, this.#storeTimes[i]!);
    }
    this.#payloads.length = 0;
  }

  #own(unit: ReadUnit, from: Offset, limits: ReadLimits, delivery: Delivery): boolean {
    const { payload, count, baseOffset } = unit;
    let at = recordAt(payload, unit.firstRecord);
    for (let i = 0; i < count; i++) {
      const offset = baseOffset + i;
      if (offset < from) {
        at = nextRecord(payload, at);
        continue;
      }
      locate(payload, at, place);
      const isWanted = passes(unit, payload, limits.tagHashes);
      if (isWanted && !this.#take(payload, at, offset, unit.storeTimeMs, limits, delivery)) return false;
      at = place.end;
    }
    return true;
  }

  #foreign(node: BrokerNode, unit: ReadUnit, from: Offset, limits: ReadLimits, delivery: Delivery): boolean {
    let messages: readonly Message[];
    try {
      messages = node.broker.messages(unit);
    } catch (error) {
      // What was read before it is delivered first; then the pull that begins here is told.
      if (!(error instanceof BrokerError) || this.#offsets.length === 0) throw error;
      this.nextOffset = unit.baseOffset;
      return false;
    }
    const wanted = limits.tagHashes;
    for (let i = Math.max(0, from - unit.baseOffset); i < unit.count; i++) {
      const message = messages[unit.firstRecord + i]!;
      if (wanted !== null && unit.tagHash === TAG_MIXED && !wanted.has(tagHash(message.tag))) continue;
      const at = convert(node, message);
      if (!this.#take(null, at, unit.baseOffset + i, unit.storeTimeMs, limits, delivery)) return false;
    }
    return true;
  }

  /** Adds the record at `place`; false when the reply is full and goes on from it next time. */
  #take(
    payload: Buffer | null,
    start: number,
    offset: Offset,
    storeTimeMs: TimeMs,
    limits: ReadLimits,
    delivery: Delivery,
  ): boolean {
    const bytes = storedMessageBytes(place, delivery);
    const isFull = this.#offsets.length >= limits.recordsMax || this.#bytes + bytes > limits.bytesMax;
    if (isFull && this.#offsets.length > 0) {
      this.nextOffset = offset;
      return false;
    }
    this.#payloads.push(payload);
    this.#starts.push(start);
    this.#offsets.push(offset);
    this.#storeTimes.push(storeTimeMs);
    this.#bytes += bytes;
    return true;
  }
}

export const pullBody = new PullBody();

/** A unit of one tag was filtered by the core; one of several is looked into. The record is at `place`. */
function passes(unit: ReadUnit, payload: Buffer, wanted: ReadonlySet<number> | null): boolean {
  if (wanted === null || unit.tagHash !== TAG_MIXED) return true;
  return wanted.has(tagHash(findProperty(payload, place.propertiesStart, place.propertiesEnd, TAGS)));
}

/** Writes a message of another protocol as a record into the node's scratch; returns where, and sets `place`. */
function convert(node: BrokerNode, message: Message): number {
  const record = toRecord(message);
  node.counts.conversions++;
  node.counts.headersDropped += record.dropped;
  const builder = node.incoming;
  const at = builder.length;
  const head = { flag: record.flag, sysFlag: 0, bornTimestamp: record.bornTimestamp, reconsumeTimes: 0 };
  builder.open(head, NO_HOST, record.body.length, record.properties.length);
  record.body.copy(builder.buffer, builder.bodyStart);
  record.properties.copy(builder.buffer, builder.propertiesStart);
  builder.close();
  locate(builder.buffer, at, place);
  return at;
}
