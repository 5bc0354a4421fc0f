// The records of one partition in a Fetch response, from the units that were read.
//
// Invariants:
// - a unit that is a whole Kafka batch leaves byte for byte as it is stored; where its base offset is not the stored
//   one (the batch lies in another queue as well), offset and epoch are written into the copy;
// - all others (other formats, slices of a batch) are written as batches of their own, runs of neighbours together;
// - every offset that was read is covered by a batch, so that a client gets past what holds nothing for it.

import { BrokerError } from '../../core/errors.ts';
import type { Message, Offset, ReadBatch, ReadUnit } from '../../core/types.ts';
import { UNIT } from '../../core/types.ts';
import { FORMAT } from '../adapter.ts';
import { Writer } from '../wire/writer.ts';
import { AT, BATCH_HEAD_BYTES, readInt64, stamp } from './codec/batch.ts';
import { encodeBatch } from './codec/records.ts';
import type { Node } from './node.ts';
import type { Pieces } from './pieces.ts';

/** Runs of made records end at so many bytes: a client decodes a batch at a time. */
const RUN_BYTES_MAX = 64 * 1024;

export class RecordSet {
  /** Bytes that `write` will write. */
  readonly bytes: number;
  readonly #batch: ReadBatch;
  /** The records made for the client, when not every unit goes out as it is. */
  readonly #made: Buffer | null;

  constructor(node: Node, batch: ReadBatch, offset: Offset) {
    this.#batch = batch;
    if (batch.units.length === 0) this.#made = emptyBatch(node, offset, batch.nextOffset);
    else this.#made = batch.units.every(isStoredWhole) ? null : make(node, batch.units, offset);
    this.bytes = this.#made === null ? batch.bytes : this.#made.length;
  }

  /** Puts the records into the response; stored batches that are large go as they lie in the log. */
  write(writer: Writer, pieces: Pieces): void {
    if (this.#made !== null) {
      pieces.add(this.#made, true, writer);
      return;
    }
    const units = this.#batch.units;
    for (const { payload, lasting } of units) pieces.add(payload, lasting, writer);
  }
}

/** What leads a client past offsets that nothing is kept of any more (damaged, or moved away). */
function emptyBatch(node: Node, offset: Offset, nextOffset: Offset): Buffer | null {
  if (nextOffset <= offset) return null;
  const writer = new Writer({ slabBytes: BATCH_HEAD_BYTES });
  encodeBatch(writer, [], 0, 0, offset, node.broker.epoch, nextOffset - offset);
  return writer.take();
}

/** Whether the unit is one whole Kafka batch at the offset that is written in it. */
function isStoredWhole(unit: ReadUnit): boolean {
  return isWholeBatch(unit) && readInt64(unit.payload, AT.baseOffset) === unit.baseOffset;
}

function isWholeBatch(unit: ReadUnit): boolean {
  const { format, payload, firstRecord, count } = unit;
  if (format !== FORMAT.kafka || firstRecord !== 0 || payload.length < BATCH_HEAD_BYTES) return false;
  return payload.readInt32BE(AT.lastOffsetDelta) + 1 === count;
}

function make(node: Node, units: readonly ReadUnit[], offset: Offset): Buffer {
  const writer = new Writer();
  const { broker } = node;
  let run: Message[] = [];
  let runBase = 0;
  let runBytes = 0;
  const flush = (): void => {
    if (run.length === 0) return;
    encodeBatch(writer, run, 0, run.length, runBase, broker.epoch);
    node.counts.batchesMade++;
    run = [];
    runBytes = 0;
  };
  for (const unit of units) {
    if (isWholeBatch(unit)) {
      flush();
      patched(node, writer, unit);
      continue;
    }
    const messages = (unit.flags & UNIT.control) !== 0 ? null : decoded(node, unit);
    if (messages === null) {
      flush();
      encodeBatch(writer, [], 0, 0, unit.baseOffset, broker.epoch, unit.count);
      continue;
    }
    // Records in front of the offset asked for would only be skipped by the client.
    const skip = Math.max(0, Math.min(unit.count - 1, offset - unit.baseOffset));
    for (let i = skip; i < unit.count; i++) {
      if (run.length > 0 && (runBytes >= RUN_BYTES_MAX || runBase + run.length !== unit.baseOffset + i)) flush();
      if (run.length === 0) runBase = unit.baseOffset + i;
      const message = messages[unit.firstRecord + i]!;
      count(node, message);
      run.push(message);
      runBytes += (message.body?.length ?? 0) + (message.key?.length ?? 0);
    }
  }
  flush();
  return writer.take();
}

/** A whole batch at another offset than the stored one. */
function patched(node: Node, writer: Writer, unit: ReadUnit): void {
  const at = writer.claim(unit.payload.length);
  const copy = writer.buffer.subarray(at, at + unit.payload.length);
  copy.set(unit.payload);
  if (readInt64(copy, AT.baseOffset) === unit.baseOffset) return;
  stamp(copy, unit.baseOffset, node.broker.epoch);
  node.counts.batchesPatched++;
}

/** The messages of a unit, or null when they cannot be read: the client is led past them, and we say so. */
function decoded(node: Node, unit: ReadUnit): readonly Message[] | null {
  try {
    const messages = node.broker.messages(unit);
    return messages.length >= unit.firstRecord + unit.count ? messages : null;
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    node.counts.errors++;
    node.log.warn({ err: error, offset: unit.baseOffset, position: unit.position }, 'unit unreadable, passed over');
    return null;
  }
}

function count(node: Node, message: Message): void {
  for (const { type } of message.headers) {
    if (type !== undefined && type !== 'bytes') node.counts.narrowedHeaderTypes++;
  }
}
