// The request of a Fetch, read by hand: what is asked for, and for each partition which queue it is or why it is none.
import type { Offset, QueueNumber, Topic } from '../../../core/types.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Reader } from '../../wire/reader.ts';
import { WireError } from '../../wire/wire-error.ts';
import type { Call } from '../call.ts';
import { ELEMENTS_MAX, readCount, readNameBytes, readUuid, skipTags } from '../codec/compact.ts';
import { NameCache } from '../codec/name-cache.ts';
import { epochError } from '../epoch-check.ts';
import { errorCode } from '../errors.ts';
import { topicNamed } from '../names.ts';

const NO_SESSION_EPOCHS: readonly number[] = [-1, 0];
const READ_COMMITTED = 1;

export interface FetchPartition {
  readonly index: number;
  readonly offset: Offset;
  /** Where the client will go on: behind what it is given. */
  next: Offset;
  readonly bytesMax: number;
  readonly queue: QueueNumber;
  error: number;
  /** How far the bytes there have been counted towards minBytes, and how many there were. */
  countedTo: Offset;
  countedBytes: number;
  /** The answer is full without it. */
  left: boolean;
}

export interface FetchTopic {
  readonly name: string;
  readonly id: string;
  readonly partitions: FetchPartition[];
}

const names = new NameCache();

export class FetchRequest {
  maxWaitMs = 0;
  minBytes = 0;
  bytesMax = 0;
  readCommitted = false;
  /** FETCH_SESSION_ID_NOT_FOUND when the request belongs to a session: we have none. */
  sessionError = 0;
  readonly topics: FetchTopic[] = [];
  /** Those of all topics. */
  readonly partitions: FetchPartition[] = [];
  readonly #call: Call;

  /** Reads the call's request. Throws WireError. */
  constructor(call: Call) {
    this.#call = call;
    const { reader, version, flexible, node } = call;
    if (version <= 14) reader.int32();
    this.maxWaitMs = Math.max(0, Math.min(reader.int32(), node.limits.fetchWaitMsMax));
    const minBytes = reader.int32();
    const bytesMax = Math.min(reader.int32(), node.limits.fetchBytesMax);
    // More than the answer may hold is nothing to wait for.
    this.minBytes = Math.min(minBytes, bytesMax);
    // Also who takes no bytes is given the first batch (KIP-74).
    this.bytesMax = Math.max(1, bytesMax);
    this.readCommitted = reader.int8() === READ_COMMITTED;
    if (version >= 7) {
      const session = reader.int32();
      if (session !== 0 || !NO_SESSION_EPOCHS.includes(reader.int32())) {
        this.sessionError = ERROR.FETCH_SESSION_ID_NOT_FOUND;
        return;
      }
    }
    // Behind the topics come forgotten ones (of sessions) and the rack, which say nothing to us.
    for (let topics = readCount(reader, flexible); topics > 0; topics--) this.#topic(reader);
  }

  #topic(reader: Reader): void {
    const { version, flexible, node } = this.#call;
    const { broker, settings } = node;
    let name = '';
    let id = '';
    let topic: Topic | null;
    if (version >= 13) {
      id = readUuid(reader);
      topic = broker.topicByUuid(id);
      if (topic !== null && topic.namespace !== settings.namespace) topic = null;
    } else {
      name = names.read(reader, readNameBytes(reader, flexible));
      topic = topicNamed(broker, settings.namespace, name);
    }
    const refusal = topic === null || !broker.secured ? ERROR.NONE : this.#refusal(topic);
    const partitions: FetchPartition[] = [];
    for (let count = readCount(reader, flexible); count > 0; count--) {
      const partition = this.#partition(reader, topic, refusal);
      partitions.push(partition);
      this.partitions.push(partition);
    }
    if (flexible) skipTags(reader);
    this.topics.push({ name, id, partitions });
    if (this.partitions.length > ELEMENTS_MAX) throw new WireError('too many partitions');
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

  #partition(reader: Reader, topic: Topic | null, refusal: number): FetchPartition {
    const { version, flexible } = this.#call;
    const index = reader.int32();
    const epoch = version >= 9 ? reader.int32() : -1;
    const offset = reader.nearestInt64();
    if (version >= 12) reader.int32();
    if (version >= 5) reader.skip(8);
    const bytesMax = reader.int32();
    if (flexible) skipTags(reader);
    const queue = topic?.queues[index] ?? -1;
    const unknown = version >= 13 && topic === null ? ERROR.UNKNOWN_TOPIC_ID : ERROR.UNKNOWN_TOPIC_OR_PARTITION;
    // The epoch cannot change while we run, so it is compared once.
    const error = refusal !== ERROR.NONE ? refusal : queue < 0 ? unknown : epochError(this.#call.node, epoch);
    return { index, offset, next: offset, bytesMax, queue, error, countedTo: offset, countedBytes: 0, left: false };
  }
}
