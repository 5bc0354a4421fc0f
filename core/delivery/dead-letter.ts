/**
 * The dead letter of a message that was rejected, expired or delivered too often: a copy that says where it comes from
 * and why it died, published by its queue's rule, in one entry with the end of the original.
 */
import { type Codecs, DECODED_BYTES_MAX } from '../destinations.ts';
import { BrokerError, InvariantError } from '../errors.ts';
import type { Queue } from '../log/queue.ts';
import { encodeRecord } from '../log/record.ts';
import type { Publisher } from '../publish.ts';
import {
  type DeadLetter,
  type DeadLetterTarget,
  type Death,
  FORMAT_CANONICAL,
  type Header,
  type Leased,
  type Message,
  type TimeMs,
  type Topic,
} from '../types.ts';
import type { Append } from '../verbs.ts';
import { emptyAppend } from './append.ts';
import type { LeaseLine } from './lease-line.ts';
import type { OffsetReader } from './offset-reader.ts';

export class DeadLetters {
  private readonly publisher: Publisher;
  private readonly reader: OffsetReader;
  private readonly codecs: Codecs;
  private readonly append = emptyAppend();
  private readonly nowMs: () => number;
  private readonly warn: (text: string, error: unknown) => void;

  constructor(
    publisher: Publisher,
    reader: OffsetReader,
    codecs: Codecs,
    nowMs: () => number,
    warn: (text: string, error: unknown) => void,
  ) {
    this.publisher = publisher;
    this.reader = reader;
    this.codecs = codecs;
    this.nowMs = nowMs;
    this.warn = warn;
  }

  /** False when no rule says where to, or nothing takes it there: an exchange that is gone, a way it has come already. */
  publish(line: LeaseLine, leased: Leased, reason: Death['reason'], attempts: number): boolean {
    const target = line.topic.attributes.deadLetter;
    if (target === null || line.topic.ownGroup !== line.group.id) return false;
    const death: Death = {
      reason,
      topic: line.topic.name,
      queue: line.queue.id,
      offset: leased.offset,
      group: line.group.name,
      attempts,
      atMs: this.nowMs(),
      target,
    };
    const { unit } = leased;
    const stored =
      this.codecs.get(unit.format)?.deadLetter?.(unit.payload, leased.record, death) ??
      canonical(this.message(leased), death);
    const append = this.fill(stored, target, line.topic.namespace, unit.recordTimeMaxMs, unit.priority);
    append.routingKey = target.routingKey ?? this.ownKey(leased);
    try {
      const original = { group: line.group.id, queue: line.queue.number, offset: leased.offset, count: 1 };
      return this.publisher.transfer(append, original, stored.avoid ?? null) > 0;
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'exchange-not-found') return false;
      throw error;
    }
  }

  /**
   * What a full queue refused and wants to be a dead letter. It has no original that would have to be settled. Its
   * publisher is told of the refusal either way, and may have been given offsets in other queues: nothing is thrown.
   */
  refused(queue: Queue, topic: Topic, given: Append): void {
    try {
      this.publishRefused(queue, topic, given);
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      this.warn(`what the full queue '${topic.name}' refused is no dead letter`, error);
    }
  }

  private publishRefused(queue: Queue, topic: Topic, given: Append): void {
    const target = topic.attributes.deadLetter;
    const codec = this.codecs.get(given.format);
    if (target === null || codec === undefined) return;
    const message = codec.decode(given.payload, DECODED_BYTES_MAX)[0]!;
    const death: Death = {
      reason: 'max-length',
      topic: topic.name,
      queue: queue.id,
      offset: queue.next,
      group: '',
      attempts: 0,
      atMs: this.nowMs(),
      target,
    };
    const stored = codec.deadLetter?.(given.payload, 0, death) ?? canonical(message, death);
    const append = this.fill(stored, target, topic.namespace, given.recordTimeMaxMs, given.priority);
    append.routingKey = target.routingKey ?? given.routingKey ?? keyOf(message);
    this.publisher.transfer(append, null, stored.avoid ?? null);
  }

  private fill(
    stored: DeadLetter,
    target: DeadLetterTarget,
    namespace: string,
    recordTimeMaxMs: TimeMs,
    priority: number,
  ): Append {
    const append = this.append;
    append.topic = null;
    append.exchange = target.exchange;
    append.namespace = namespace;
    append.format = stored.format;
    append.payload = stored.payload;
    append.records = 1;
    append.key = stored.key;
    append.recordTimeMaxMs = recordTimeMaxMs;
    append.flags = 0;
    append.priority = priority;
    append.queue = -1;
    append.copies = stored.copies ?? null;
    return append;
  }

  private message(leased: Leased): Message {
    return this.reader.messages(leased.unit)[leased.record]!;
  }

  private ownKey(leased: Leased): string {
    return keyOf(this.message(leased));
  }
}

function keyOf(message: Message): string {
  return message.routingKey ?? message.key?.toString('utf8') ?? message.tag ?? '';
}

/** Formats that do not know dead letters become canonical records with headers that say it. */
function canonical(message: Message, death: Death): DeadLetter {
  const text = (name: string, value: string | number): Header => ({ name, value: Buffer.from(String(value)) });
  const headers = [
    ...message.headers,
    text('x-death-reason', death.reason),
    text('x-death-topic', death.topic),
    text('x-death-queue', death.queue),
    text('x-death-offset', death.offset),
    text('x-death-group', death.group),
    text('x-death-attempts', death.attempts),
    text('x-death-time', death.atMs),
  ];
  const { expirationMs: _expired, ...rest } = message;
  return {
    format: FORMAT_CANONICAL,
    payload: encodeRecord({ ...rest, headers }),
    key: message.key,
    tag: message.tag,
    avoid: diedIn(headers),
  };
}

/** The queues it died in since it was last rejected, by the headers that each death has added. */
function diedIn(headers: readonly Header[]): string[] {
  const topics: string[] = [];
  for (let n = headers.length - 1; n >= 0; n--) {
    const { name, value } = headers[n]!;
    if (name === 'x-death-topic') topics.push(String(value));
    else if (name === 'x-death-reason' && String(value) === 'rejected') {
      topics.pop();
      break;
    }
  }
  return topics;
}
