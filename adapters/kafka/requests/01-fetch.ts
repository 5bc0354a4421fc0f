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
// - no records are an empty set of length 0, never null;
// - a Fetch begins when the connection's earlier calls are answered, so a connection holds one answer at a time.
import type { Offset, QueueNumber, ReadBatch, ReadLimits, Topic, Waiter } from '../../../core/types.ts';
import { fetch } from '../../../specs/kafka/data.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Reader } from '../../wire/reader.ts';
import { WireError } from '../../wire/wire-error.ts';
import type { Writer } from '../../wire/writer.ts';
import type { Call } from '../call.ts';
import { NameCache } from '../codec/name-cache.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { topicNamed } from '../names.ts';
import { NODE_ID } from '../node.ts';
import { RecordSet } from '../record-set.ts';

const PARTITIONS_MAX = 100_000;
const NO_SESSION = 0;
const NO_SESSION_EPOCHS: readonly number[] = [-1, 0];
const READ_COMMITTED = 1;

export const fetchRoute: Route = {
  api: fetch,
  handle(call) {
    const waiting = new FetchCall(call);
    waiting.parse();
    call.onHead = () => waiting.begin();
    call.onCancel = () => waiting.cancel();
  },
};

const names = new NameCache();
const batch: ReadBatch = { units: [], bytes: 0, nextOffset: 0, startOffset: 0, endOffset: 0 };
const limits: ReadLimits = { bytesMax: 0, recordsMax: 0x7fffffff, tagHashes: null };

interface Partition {
  readonly index: number;
  readonly leaderEpoch: number;
  readonly offset: Offset;
  readonly bytesMax: number;
  queue: QueueNumber;
  error: number;
  /** How far the bytes there have been counted towards minBytes, and how many there were. */
  countedTo: Offset;
  countedBytes: number;
}

interface FetchTopic {
  readonly name: string;
  readonly id: string;
  readonly partitions: Partition[];
}

class FetchCall implements Waiter {
  readonly #call: Call;
  readonly #topics: FetchTopic[] = [];
  readonly #partitions: Partition[] = [];
  #minBytes = 0;
  #bytesMax = 0;
  #maxWaitMs = 0;
  #readCommitted = false;
  #sessionError = 0;
  #deadlineMs = 0;
  #waiting = false;
  /** Cold bytes are on their way: we are woken when they are there. */
  #pending = false;

  constructor(call: Call) {
    this.#call = call;
  }

  parse(): void {
    const { reader, version, flexible, node } = this.#call;
    if (version <= 14) reader.int32();
    this.#maxWaitMs = Math.min(reader.int32(), node.limits.fetchWaitMsMax);
    this.#minBytes = reader.int32();
    this.#bytesMax = Math.min(reader.int32(), node.limits.fetchBytesMax);
    this.#readCommitted = reader.int8() === READ_COMMITTED;
    if (version >= 7) {
      const session = reader.int32();
      const epoch = reader.int32();
      if (session !== NO_SESSION || !NO_SESSION_EPOCHS.includes(epoch)) {
        this.#sessionError = ERROR.FETCH_SESSION_ID_NOT_FOUND;
        return;
      }
    }
    const topics = this.#count(reader);
    for (let i = 0; i < topics; i++) this.#parseTopic(reader);
    // Forgotten topics (sessions only), the rack and the tags behind them say nothing to us.
    if (flexible && this.#partitions.length > PARTITIONS_MAX) throw new WireError('too many partitions');
  }

  begin(): void {
    const { node } = this.#call;
    node.counts.fetches++;
    if (this.#sessionError !== 0) {
      this.#answerSessionError();
      return;
    }
    this.#deadlineMs = node.broker.nowMs() + Math.max(0, this.#maxWaitMs);
    this.#attempt(false);
  }

  wake(reason: 'data' | 'timeout'): void {
    if (!this.#call.ended) this.#attempt(reason === 'timeout');
  }

  /** The connection is gone, or the broker is about to stop. */
  cancel(): void {
    this.#stopWaiting();
    this.#call.onHead = null;
    if (this.#call.connection.closed) this.#call.finishSilently();
    else if (!this.#call.ended) this.#answer();
  }

  #attempt(last: boolean): void {
    const late = last || this.#call.node.broker.nowMs() >= this.#deadlineMs;
    this.#pending = false;
    if (late || this.#enough()) this.#answer();
    else if (!this.#pending) this.#wait();
  }

  /** Whether the answer need not wait. Looks only at what came since it last looked. */
  #enough(): boolean {
    const { broker } = this.#call.node;
    let bytes = 0;
    let enough = this.#minBytes <= 0 || this.#partitions.length === 0;
    for (const partition of this.#partitions) {
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
      if (bytes >= this.#minBytes) enough = true;
    }
    return enough;
  }

  #countNew(partition: Partition): void {
    const { broker } = this.#call.node;
    limits.bytesMax = Math.max(1, this.#minBytes - partition.countedBytes);
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
    for (const { queue, countedTo } of this.#partitions) {
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
    const { version, flexible, node } = this.#call;
    const writer = this.#call.begin(node.largeWriter);
    writer.int32(0);
    if (version >= 7) {
      writer.int16(ERROR.NONE);
      writer.int32(NO_SESSION);
    }
    writeCount(writer, this.#topics.length, flexible);
    let left = this.#bytesMax;
    let first = true;
    for (const topic of this.#topics) {
      if (version >= 13) writeUuid(writer, topic.id);
      else writeName(writer, topic.name, flexible);
      writeCount(writer, topic.partitions.length, flexible);
      for (const partition of topic.partitions) {
        const bytes = this.#writePartition(writer, partition, left, first);
        left -= bytes;
        if (bytes > 0) first = false;
      }
      if (flexible) writer.uvarint(0);
    }
    if (flexible) writer.uvarint(0);
    this.#call.finish(writer);
  }

  /** Writes one partition's part and returns how many bytes of records are in it. */
  #writePartition(writer: Writer, partition: Partition, left: number, first: boolean): number {
    const { version, flexible, node } = this.#call;
    const { broker } = node;
    const state = partition.error === 0 ? broker.queue(partition.queue) : null;
    let error = partition.error;
    if (error === 0 && state === null) error = ERROR.UNKNOWN_TOPIC_OR_PARTITION;
    if (error === 0) error = this.#epochError(partition.leaderEpoch);
    let records: RecordSet | null = null;
    if (error === 0 && state !== null) {
      if (partition.offset < state.startOffset || partition.offset > state.endOffset) error = ERROR.OFFSET_OUT_OF_RANGE;
      else if (partition.offset < state.endOffset && (first || left > 0)) {
        limits.bytesMax = Math.max(1, Math.min(partition.bytesMax, left));
        try {
          const status = broker.read(this.#call.principal, partition.queue, partition.offset, limits, batch, this);
          if (status === 'found' || status === 'filtered') records = new RecordSet(node, batch, partition.offset);
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
    if (this.#readCommitted) writeCount(writer, 0, flexible);
    else writeCount(writer, -1, flexible);
    if (version >= 11) writer.int32(-1);
    const bytes = records === null ? 0 : records.bytes;
    if (flexible) writer.uvarint(bytes + 1);
    else writer.int32(bytes);
    records?.write(writer);
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

  #epochError(claimed: number): number {
    const { epoch } = this.#call.node.broker;
    if (claimed < 0 || claimed === epoch) return ERROR.NONE;
    return claimed < epoch ? ERROR.FENCED_LEADER_EPOCH : ERROR.UNKNOWN_LEADER_EPOCH;
  }

  #answerSessionError(): void {
    const { flexible } = this.#call;
    const writer = this.#call.begin();
    writer.int32(0);
    writer.int16(this.#sessionError);
    writer.int32(NO_SESSION);
    writeCount(writer, 0, flexible);
    if (flexible) writer.uvarint(0);
    this.#call.finish();
  }

  #count(reader: Reader): number {
    const count = this.#call.flexible ? reader.uvarint() - 1 : reader.int32();
    if (count > reader.remaining || count > PARTITIONS_MAX) throw new WireError(`${count} elements`);
    return count;
  }

  #parseTopic(reader: Reader): void {
    const { version, flexible, node } = this.#call;
    const { broker, settings } = node;
    let name = '';
    let id = '';
    let topic: Topic | null;
    if (version >= 13) {
      const at = reader.skip(16);
      id = reader.buffer.toString('hex', at, at + 16);
      topic = broker.topicByUuid(id);
      if (topic !== null && topic.namespace !== settings.namespace) topic = null;
    } else {
      const bytes = flexible ? reader.uvarint() - 1 : reader.int16();
      if (bytes < 0) throw new WireError('a topic without a name');
      name = names.read(reader, bytes);
      topic = topicNamed(broker, settings.namespace, name);
    }
    const refusal = topic === null || !broker.secured ? ERROR.NONE : this.#refusal(topic);
    const partitions: Partition[] = [];
    const count = this.#count(reader);
    for (let i = 0; i < count; i++) partitions.push(this.#parsePartition(reader, topic, refusal));
    if (flexible) skipTags(reader);
    this.#topics.push({ name, id, partitions });
    if (this.#partitions.length > PARTITIONS_MAX) throw new WireError('too many partitions');
  }

  /** Not even the ends of a partition are told to who may not read it. */
  #refusal(topic: Topic): number {
    try {
      this.#call.node.broker.authorise(this.#call.principal, 'consume', 'topic', topic.namespace, topic.name);
      return ERROR.NONE;
    } catch (error) {
      return errorCode(error, 'topic');
    }
  }

  #parsePartition(reader: Reader, topic: Topic | null, refusal: number): Partition {
    const { version, flexible } = this.#call;
    const index = reader.int32();
    const leaderEpoch = version >= 9 ? reader.int32() : -1;
    const offset = reader.int64();
    if (version >= 12) reader.int32();
    if (version >= 5) reader.int64();
    const bytesMax = reader.int32();
    if (flexible) skipTags(reader);
    const queue = topic?.queues[index] ?? -1;
    const unknown = version >= 13 && topic === null ? ERROR.UNKNOWN_TOPIC_ID : ERROR.UNKNOWN_TOPIC_OR_PARTITION;
    const error = refusal !== ERROR.NONE ? refusal : queue < 0 ? unknown : this.#epochError(leaderEpoch);
    const partition = { index, leaderEpoch, offset, bytesMax, queue, error, countedTo: offset, countedBytes: 0 };
    this.#partitions.push(partition);
    return partition;
  }
}

function writeCount(writer: Writer, count: number, flexible: boolean): void {
  if (flexible) writer.uvarint(count + 1);
  else writer.int32(count);
}

function writeName(writer: Writer, name: string, flexible: boolean): void {
  const bytes = Buffer.byteLength(name);
  if (flexible) writer.uvarint(bytes + 1);
  else writer.int16(bytes);
  writer.utf8(name);
}

function writeUuid(writer: Writer, uuid: string): void {
  const at = writer.claim(16);
  writer.buffer.write(uuid, at, 16, 'hex');
}

function skipTags(reader: Reader): void {
  for (let count = reader.uvarint(); count > 0; count--) {
    reader.uvarint();
    reader.skip(reader.uvarint());
  }
}
