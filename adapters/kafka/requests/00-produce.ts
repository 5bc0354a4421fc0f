// Produce (0): appends one record batch to each of several partitions.
//
// v3 first with batches of format 2 (older versions are advertised, not served: KAFKA-18659), v5 returns the log start,
// v7 allows zstd, v8 tells why, v9 is flexible, v10 could name a new leader, which never changes here.
//
// Invariants:
// - a batch is stored as it came: its CRC is verified once, its records are not looked at, unless the topic's
//   configuration asks for it (compaction, bounds of time, another compression);
// - the reply comes when every partition's append is committed at its topic's level, for acks 1 and all alike;
// - acks 0 gets no reply at all, not even an empty one; an error then closes the connection, which is the only way to
//   tell the producer;
// - a partition that is refused does not hold up the others.
import { RECORD_TIME_MAX, TAG_MIXED, type Topic, UNIT } from '../../../core/types.ts';
import type { Append, AppendTarget } from '../../../core/verbs.ts';
import { produce } from '../../../specs/kafka/data.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import { FORMAT } from '../../adapter.ts';
import type { Reader } from '../../wire/reader.ts';
import type { Writer } from '../../wire/writer.ts';
import type { Call } from '../call.ts';
import { BatchHead, setLogAppendTime } from '../codec/batch.ts';
import { readCount, readNameBytes, skipTags, writeCount, writeText } from '../codec/compact.ts';
import { NameCache } from '../codec/name-cache.ts';
import { recompressed } from '../codec/recompress.ts';
import { checkRecords, type RecordError } from '../codec/record-checks.ts';
import { appendRules } from '../config/topic-config.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { topicNamed } from '../names.ts';

const NO_BYTES = Buffer.alloc(0);
const NO_ERRORS: readonly RecordError[] = [];

export const produceRoute: Route = { api: produce, handle: (call) => (spare.pop() ?? new ProduceCall()).run(call) };

const names = new NameCache();
const head = new BatchHead();
/** Filled anew for each batch: the core copies what it needs during the call. */
const append: Append = {
  topic: null,
  queue: 0,
  exchange: null,
  namespace: '',
  routingKey: null,
  format: FORMAT.kafka,
  payload: NO_BYTES,
  records: 0,
  key: null,
  // The tags are inside the records, which nobody has looked at.
  tagHash: TAG_MIXED,
  keys: null,
  recordTimeMaxMs: 0,
  flags: 0,
  producerId: -1,
  producerEpoch: -1,
  baseSequence: -1,
  expiryMs: 0,
  priority: 0,
  notBeforeMs: 0,
};

/** Requests that are answered, for those that come: what one holds is used again. */
const spare: ProduceCall[] = [];
const SPARE_MAX = 1_024;
/** A request of more partitions is left to the collector. */
const SPARE_PARTITIONS_MAX = 64;

class ProduceCall implements AppendTarget {
  /** Null between two requests. */
  #of: Call | null = null;
  #acks = 0;
  #transactional = false;
  // The request's shape: topic i has the partitions [#firsts[i], #firsts[i + 1]).
  readonly #topics: string[] = [];
  readonly #firsts: number[] = [];
  // What came of each partition, in order of the request.
  readonly #indexes: number[] = [];
  readonly #codes: number[] = [];
  readonly #texts: (string | null)[] = [];
  readonly #offsets: number[] = [];
  readonly #appendTimes: number[] = [];
  readonly #starts: number[] = [];
  /** Records that a partition's refusal names, by token; most requests have none. */
  #recordErrors: Map<number, readonly RecordError[]> | null = null;
  /** Appends that are not committed yet, and one for the parsing itself. */
  #open = 1;
  #refused = 0;
  /** Bytes of batches that were taken, and for how long the client is to be quiet for them. */
  #bytes = 0;
  #throttleMs = 0;

  get #call(): Call {
    return this.#of!;
  }

  run(call: Call): void {
    this.#of = call;
    const { reader, flexible } = call;
    const idBytes = flexible ? reader.uvarint() - 1 : reader.int16();
    this.#transactional = idBytes >= 0;
    if (idBytes > 0) reader.skip(idBytes);
    this.#acks = reader.int16();
    reader.int32();
    const topics = readCount(reader, flexible);
    for (let i = 0; i < topics; i++) this.#topic(reader);
    if (flexible) skipTags(reader);
    this.#throttleMs = this.#call.connection.throttle('producer_byte_rate', this.#call.clientId, this.#bytes);
    if (this.#acks === 0) {
      if (this.#refused > 0) this.#call.connection.endWhenAnswered();
      this.#call.finishSilently();
    }
    this.#settle();
  }

  /** One append is committed. */
  appended(token: number, _queue: number, baseOffset: number): void {
    this.#offsets[token] = baseOffset;
    this.#settle();
  }

  #topic(reader: Reader): void {
    const { flexible, node } = this.#call;
    const name = names.read(reader, readNameBytes(reader, flexible));
    this.#topics.push(name);
    this.#firsts.push(this.#indexes.length);
    const topic = topicNamed(node.broker, node.settings.namespace, name);
    const partitions = readCount(reader, flexible);
    for (let i = 0; i < partitions; i++) {
      const index = reader.int32();
      const bytes = flexible ? reader.uvarint() - 1 : reader.int32();
      const start = reader.skip(Math.max(0, bytes));
      if (flexible) skipTags(reader);
      this.#partition(topic, index, reader.buffer, start, start + Math.max(0, bytes));
    }
    if (flexible) skipTags(reader);
  }

  #partition(topic: Topic | null, index: number, buffer: Buffer, start: number, end: number): void {
    const { node, version } = this.#call;
    const token = this.#indexes.length;
    this.#indexes.push(index);
    this.#codes.push(ERROR.NONE);
    this.#texts.push(null);
    this.#offsets.push(-1);
    this.#appendTimes.push(-1);
    this.#starts.push(-1);
    node.counts.produceBatches++;
    if (this.#acks < -1 || this.#acks > 1) return this.#refuse(token, ERROR.INVALID_REQUIRED_ACKS, null);
    if (this.#transactional) return this.#refuse(token, ERROR.INVALID_TXN_STATE, 'transactions are not served');
    if (topic === null || index < 0 || index >= topic.queues.length) {
      return this.#refuse(token, ERROR.UNKNOWN_TOPIC_OR_PARTITION, null);
    }
    if (end - start > topic.attributes.messageBytesMax) {
      return this.#refuse(token, ERROR.MESSAGE_TOO_LARGE, `the topic takes ${topic.attributes.messageBytesMax} bytes`);
    }
    const refusal = head.check(buffer, start, end, version);
    if (refusal !== null) return this.#refuse(token, refusal.code, refusal.text);
    const rules = appendRules(topic);
    const now = node.broker.nowMs();
    if (rules.logAppendTime) {
      // The frame's bytes are ours, so the batch is changed in place.
      setLogAppendTime(buffer, start, end, now);
      head.maxTimestamp = now;
      this.#appendTimes[token] = now;
    }
    append.payload = buffer.subarray(start, end);
    const refused = checkRecords(append.payload, rules, now, node.limits.frameBytesMax);
    if (refused !== null) {
      this.#recordErrors ??= new Map();
      this.#recordErrors.set(token, refused.records);
      return this.#refuse(token, refused.code, refused.text);
    }
    append.topic = topic;
    append.queue = index;
    append.records = head.recordCount;
    append.recordTimeMaxMs = Math.min(Math.max(0, head.maxTimestamp), RECORD_TIME_MAX);
    append.flags = head.compressed ? UNIT.compressed : 0;
    append.producerId = head.producerId;
    append.producerEpoch = head.producerId < 0 ? -1 : head.producerEpoch;
    append.baseSequence = head.producerId < 0 ? -1 : head.baseSequence;
    try {
      if (rules.compression !== null) this.#recompress(rules.compression, rules.compressionLevel);
      node.broker.append(this.#call.principal, append, this, token);
      this.#open++;
      this.#bytes += append.payload.length;
      this.#starts[token] = node.broker.queue(topic.queues[index]!)?.startOffset ?? -1;
    } catch (error) {
      this.#refuse(token, errorCode(error, 'topic'), (error as Error).message);
    } finally {
      append.payload = NO_BYTES;
    }
  }

  #recompress(compression: string, level: number): void {
    append.payload = recompressed(append.payload, compression, level, this.#call.node.limits.frameBytesMax);
    append.flags = compression === 'uncompressed' ? 0 : UNIT.compressed;
  }

  #refuse(token: number, code: number, text: string | null): void {
    this.#call.node.counts.errors++;
    this.#refused++;
    this.#codes[token] = code;
    this.#texts[token] = text;
    this.#appendTimes[token] = -1;
  }

  #settle(): void {
    if (--this.#open > 0) return;
    const call = this.#call;
    if (!call.ended && !call.connection.closed) {
      this.#write(call.begin());
      call.finish();
    } else if (!call.ended) call.finishSilently();
    this.#giveBack();
  }

  /** Nobody will call us any more: every append has been answered. */
  #giveBack(): void {
    if (spare.length >= SPARE_MAX || this.#indexes.length > SPARE_PARTITIONS_MAX) return;
    this.#topics.length = 0;
    this.#firsts.length = 0;
    this.#indexes.length = 0;
    this.#codes.length = 0;
    this.#texts.length = 0;
    this.#offsets.length = 0;
    this.#appendTimes.length = 0;
    this.#starts.length = 0;
    this.#recordErrors = null;
    this.#of = null;
    this.#open = 1;
    this.#refused = 0;
    this.#bytes = 0;
    this.#throttleMs = 0;
    spare.push(this);
  }

  #write(writer: Writer): void {
    const { flexible } = this.#call;
    const topics = this.#topics.length;
    writeCount(writer, topics, flexible);
    for (let i = 0; i < topics; i++) {
      const name = this.#topics[i]!;
      const first = this.#firsts[i]!;
      const end = i + 1 < topics ? this.#firsts[i + 1]! : this.#indexes.length;
      writeText(writer, name, flexible);
      writeCount(writer, end - first, flexible);
      for (let p = first; p < end; p++) this.#writePartition(writer, p);
      if (flexible) writer.uvarint(0);
    }
    writer.int32(this.#throttleMs);
    if (flexible) writer.uvarint(0);
  }

  #writePartition(writer: Writer, p: number): void {
    const { version, flexible } = this.#call;
    writer.int32(this.#indexes[p]!);
    writer.int16(this.#codes[p]!);
    writer.int64(this.#offsets[p]!);
    writer.int64(this.#appendTimes[p]!);
    if (version >= 5) writer.int64(this.#starts[p]!);
    if (version >= 8) {
      this.#writeRecordErrors(writer, this.#recordErrors?.get(p) ?? NO_ERRORS);
      writeText(writer, this.#texts[p]!, flexible);
    }
    if (flexible) writer.uvarint(0);
  }

  #writeRecordErrors(writer: Writer, errors: readonly RecordError[]): void {
    const { flexible } = this.#call;
    writeCount(writer, errors.length, flexible);
    for (const { index, text } of errors) {
      writer.int32(index);
      writeText(writer, text, flexible);
      if (flexible) writer.uvarint(0);
    }
  }
}
