// Fetch (1): record batches of several partitions from given offsets, now or when there is enough.
//
// v4 first with format 2 and isolation, v7 sessions (KIP-227), v9 leader epochs, v12 flexible, v13 topic ids instead of
// names, v15-17 fields for followers. Sessions are declined: the answer names session 0 and holds every partition that
// was asked for; a request in a session is told that there is none.
//
// Invariants:
// - the answer comes when minBytes are there, when a partition has an error, or when maxWaitMs are over;
// - the first batch of the first partition that has any is returned whatever its size (KIP-74), and batches are
//   returned whole even if the offset lies inside: the client skips what it did not ask for;
// - cold bytes are asked for once, those of all partitions together, and the answer waits for them;
// - while the client is busy with a large answer of cold bytes, those are fetched that it will ask for next: it asks when
//   it is through (Java's does since 4.0), and would wait for them each time;
// - no records are an empty set of length 0, never null;
// - a Fetch begins when the connection's earlier calls are answered, so a connection holds one answer at a time, and it
//   leaves in the turn that makes it.
import type { Offset, Prefetched, QueueNumber, ReadBatch, ReadLimits, Waiter } from '../../../core/types.ts';
import { fetch } from '../../../specs/kafka/data.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Writer } from '../../wire/writer.ts';
import type { Call } from '../call.ts';
import { writeCount, writeText, writeUuid } from '../codec/compact.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { NODE_ID } from '../node.ts';
import { Pieces } from '../pieces.ts';
import { RecordSet } from '../record-set.ts';
import { type FetchPartition, FetchRequest } from './fetch-request.ts';

const NO_SESSION = 0;
/** So much of a partition is worth its part of a request. */
const SHARE_BYTES_MIN = 128 * 1024;

export const fetchRoute: Route = {
  api: fetch,
  handle(call) {
    const waiting = new FetchCall(call);
    call.onHead = () => waiting.begin();
    call.onCancel = () => waiting.cancel();
  },
};

/** Its payloads leave in the turn that reads them (see Pieces). */
const batch: ReadBatch = { brief: 'cold', units: [], bytes: 0, nextOffset: 0, startOffset: 0, endOffset: 0 };
const limits: ReadLimits = { bytesMax: 0, recordsMax: 0x7fffffff, tagHashes: null };
const coldLimits: ReadLimits = { ...limits };
const prefetched: Prefetched = { bytes: 0, pending: false };

class FetchCall implements Waiter {
  readonly #call: Call;
  readonly #request: FetchRequest;
  #deadlineMs = 0;
  #waiting = false;
  /** Cold bytes are on their way: we are woken when they are there. */
  #pending = false;
  /** Partitions that cold bytes have been asked for and have not come; -1 before any were. */
  #cold = -1;
  #begun = false;
  /** Some of the answer came from the disk. */
  #wasCold = false;

  constructor(call: Call) {
    this.#call = call;
    this.#request = new FetchRequest(call);
  }

  begin(): void {
    const { node } = this.#call;
    node.counts.fetches++;
    this.#begun = true;
    if (this.#request.sessionError !== 0) {
      this.#answerSessionError();
      return;
    }
    this.#deadlineMs = node.broker.nowMs() + this.#request.maxWaitMs;
    this.#attempt(false);
  }

  wake(reason: 'data' | 'timeout'): void {
    if (this.#call.ended || (reason === 'data' && this.#cold > 0 && --this.#cold > 0)) return;
    this.#attempt(reason === 'timeout');
  }

  /** The connection is gone, or the broker is about to stop. */
  cancel(): void {
    this.#stopWaiting();
    this.#call.onHead = null;
    if (this.#call.connection.closed) this.#call.finishSilently();
    else if (!this.#call.ended) {
      // Behind calls that are not answered yet the answer would not leave in this turn: it names no payloads.
      if (!this.#begun) for (const partition of this.#request.partitions) partition.left = true;
      this.#answer();
    }
  }

  #attempt(last: boolean): void {
    const late = last || this.#call.node.broker.nowMs() >= this.#deadlineMs;
    this.#pending = false;
    if (this.#cold < 0) this.#cold = this.#fetchCold();
    if (this.#cold > 0 && !last) return;
    if (late || this.#enough()) this.#answer();
    else if (!this.#pending) this.#wait();
  }

  /** Has the cold bytes that the answer will hold fetched, those of all partitions at once. Returns how many wait. */
  #fetchCold(): number {
    let waiting = 0;
    let left = this.#request.bytesMax;
    for (const partition of this.#request.partitions) {
      partition.left = left <= 0;
      if (partition.left || partition.error !== 0) continue;
      left -= this.#prefetch(partition, partition.offset, left, this);
      if (prefetched.pending) waiting++;
    }
    return waiting;
  }

  /** Has those fetched that the client will ask for when it is through with the answer. */
  #readAhead(): void {
    // Nobody would come for them, or somebody is here who says better what he wants.
    if (!this.#call.connection.takesMore || this.#call.connection.openCalls > 0) return;
    const partitions = this.#request.partitions.filter(({ error }) => error === 0);
    const isGiven = ({ offset, next }: FetchPartition): boolean => next > offset;
    // Clients move those to the end that they were given something of.
    const inOrder = [...partitions.filter((one) => !isGiven(one)), ...partitions.filter(isGiven)];
    let left = this.#request.bytesMax;
    for (const partition of inOrder) if (left > 0) left -= this.#prefetch(partition, partition.next, left, null);
  }

  /** Returns about how many bytes an answer will have of the partition. */
  #prefetch({ queue, bytesMax }: FetchPartition, offset: Offset, left: number, waiter: Waiter | null): number {
    const { broker } = this.#call.node;
    // Partitions that were written together are read together, each its part of the answer.
    const share = this.#request.bytesMax / this.#request.partitions.length;
    coldLimits.scatteredBytesMax = Math.max(SHARE_BYTES_MIN, share);
    coldLimits.bytesMax = Math.max(1, Math.min(bytesMax, left));
    broker.prefetch(queue, offset, coldLimits, prefetched, waiter);
    return prefetched.bytes;
  }

  /** Whether the answer need not wait. Looks only at what came since it last looked. */
  #enough(): boolean {
    const { broker } = this.#call.node;
    let bytes = 0;
    let enough = this.#request.minBytes <= 0 || this.#request.partitions.length === 0;
    for (const partition of this.#request.partitions) {
      if (partition.error !== 0) enough = true;
      const state = partition.error === 0 ? broker.queue(partition.queue) : null;
      if (
        partition.error === 0 &&
        (state === null || partition.offset > state.endOffset || partition.offset < state.startOffset)
      ) {
        enough = true;
      }
      if (enough || state === null) continue;
      if (partition.countedTo < state.endOffset) this.#countNew(partition);
      bytes += partition.countedBytes;
      if (bytes >= this.#request.minBytes) enough = true;
    }
    return enough;
  }

  #countNew(partition: FetchPartition): void {
    const { broker } = this.#call.node;
    limits.bytesMax = Math.max(1, this.#request.minBytes - partition.countedBytes);
    try {
      const status = broker.read(this.#call.principal, partition.queue, partition.countedTo, limits, batch, this);
      if (status === 'pending') {
        this.#pending = true;
        return;
      }
      partition.countedBytes += batch.bytes;
      partition.countedTo = Math.max(partition.countedTo, batch.nextOffset);
    } catch (error) {
      partition.error = errorCode(error, 'topic');
    }
    batch.units.length = 0;
  }

  #wait(): void {
    const queues: QueueNumber[] = [];
    const ends: Offset[] = [];
    for (const { queue, countedTo } of this.#request.partitions) {
      queues.push(queue);
      ends.push(countedTo);
    }
    // A wake that cold bytes promised may find us waiting for new ones as well: one registration at a time.
    this.#stopWaiting();
    this.#waiting = true;
    this.#call.node.broker.wait(this, queues, ends, this.#deadlineMs);
  }

  #stopWaiting(): void {
    if (this.#waiting) this.#call.node.broker.cancelWait(this);
    this.#waiting = false;
  }

  #answer(): void {
    this.#stopWaiting();
    const { version, flexible } = this.#call;
    const writer = this.#call.begin();
    const throttleAt = writer.reserveInt32();
    const pieces = new Pieces();
    if (version >= 7) {
      writer.int16(ERROR.NONE);
      writer.int32(NO_SESSION);
    }
    writeCount(writer, this.#request.topics.length, flexible);
    let left = this.#request.bytesMax;
    let first = true;
    for (const topic of this.#request.topics) {
      if (version >= 13) writeUuid(writer, topic.id);
      else writeText(writer, topic.name, flexible);
      writeCount(writer, topic.partitions.length, flexible);
      for (const partition of topic.partitions) {
        const bytes = this.#writePartition(writer, pieces, partition, left, first);
        left -= bytes;
        if (bytes > 0) first = false;
      }
      if (flexible) writer.uvarint(0);
    }
    if (flexible) writer.uvarint(0);
    const fetched = this.#request.bytesMax - left;
    const throttleMs = this.#call.connection.throttle('consumer_byte_rate', this.#call.clientId, fetched);
    writer.patchInt32(throttleAt, throttleMs);
    if (this.#wasCold) this.#call.onSent = () => this.#readAhead();
    this.#call.finish(pieces);
  }

  /** Writes one partition's part and returns how many bytes of records are in it. */
  #writePartition(writer: Writer, pieces: Pieces, partition: FetchPartition, left: number, first: boolean): number {
    const { version, flexible, node } = this.#call;
    const { broker } = node;
    const state = partition.error === 0 ? broker.queue(partition.queue) : null;
    let error = partition.error;
    if (error === 0 && state === null) error = ERROR.UNKNOWN_TOPIC_OR_PARTITION;
    let records: RecordSet | null = null;
    if (error === 0 && state !== null) {
      if (partition.offset < state.startOffset || partition.offset > state.endOffset) error = ERROR.OFFSET_OUT_OF_RANGE;
      else if (partition.offset < state.endOffset && !partition.left && (first || left > 0)) {
        limits.bytesMax = Math.max(1, Math.min(partition.bytesMax, left));
        try {
          const status = broker.read(this.#call.principal, partition.queue, partition.offset, limits, batch, this);
          if (status === 'found' || status === 'filtered') {
            records = new RecordSet(node, batch, partition.offset);
            partition.next = batch.nextOffset;
            if (batch.units.at(-1)?.lasting === false) this.#wasCold = true;
          }
        } catch (thrown) {
          error = errorCode(thrown, 'topic');
        }
      }
    }
    if (error !== 0) node.counts.errors++;
    writer.int32(partition.index);
    writer.int16(error);
    writer.int64(error === 0 && state !== null ? state.endOffset : -1);
    writer.int64(error === 0 && state !== null ? state.stableOffset : -1);
    if (version >= 5) writer.int64(error === 0 && state !== null ? state.startOffset : -1);
    // There are no transactions, so none was aborted; without read_committed the list is null.
    writeCount(writer, this.#request.readCommitted ? 0 : -1, flexible);
    if (version >= 11) writer.int32(-1);
    const bytes = records === null ? 0 : records.bytes;
    writeCount(writer, bytes, flexible);
    records?.write(writer, pieces);
    batch.units.length = 0;
    if (flexible) this.#writeTags(writer, error);
    return bytes;
  }

  /** With an epoch that is not ours the client learns the right one at once (tag 1, CurrentLeader). */
  #writeTags(writer: Writer, error: number): void {
    if (error !== ERROR.FENCED_LEADER_EPOCH) {
      writer.uvarint(0);
      return;
    }
    writer.uvarint(1);
    writer.uvarint(1);
    writer.uvarint(9);
    writer.int32(NODE_ID);
    writer.int32(this.#call.node.broker.epoch);
    writer.uvarint(0);
  }

  #answerSessionError(): void {
    const { flexible } = this.#call;
    const writer = this.#call.begin();
    writer.int32(0);
    writer.int16(this.#request.sessionError);
    writer.int32(NO_SESSION);
    writeCount(writer, 0, flexible);
    if (flexible) writer.uvarint(0);
    this.#call.finish();
  }
}
