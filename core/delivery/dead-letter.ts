/**
 * The dead letter of a message that was rejected, expired or delivered too often: a copy that says where it comes from
 * and why it died, published by its queue's rule, in one entry with the end of the original.
 */
import { encodeRecord } from '../log/record.ts';
import type { Codecs, Publisher } from '../publish.ts';
import { type Death, FORMAT_CANONICAL, type Header, type Leased, type Message, type StoredPayload } from '../types.ts';
import { emptyAppend } from './append.ts';
import type { LeaseLine } from './lease-line.ts';
import type { OffsetReader } from './offset-reader.ts';

export class DeadLetters {
  private readonly publisher: Publisher;
  private readonly reader: OffsetReader;
  private readonly codecs: Codecs;
  private readonly append = emptyAppend();
  private readonly nowMs: () => number;

  constructor(publisher: Publisher, reader: OffsetReader, codecs: Codecs, nowMs: () => number) {
    this.publisher = publisher;
    this.reader = reader;
    this.codecs = codecs;
    this.nowMs = nowMs;
  }

  /** False when no rule says where to, or nothing takes it there. */
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
      this.codecs.get(unit.format)?.deadLetter?.(unit.payload, leased.record, death) ?? this.canonical(leased, death);
    const append = this.append;
    append.topic = null;
    append.exchange = target.exchange;
    append.namespace = line.topic.namespace;
    append.routingKey = target.routingKey ?? this.ownKey(leased);
    append.format = stored.format;
    append.payload = stored.payload;
    append.records = 1;
    append.key = stored.key;
    append.recordTimeMaxMs = unit.recordTimeMaxMs;
    append.flags = 0;
    append.priority = unit.priority;
    append.queue = -1;
    return this.publisher.transfer(append, null, line.group.id, line.queue.number, leased.offset, 1) > 0;
  }

  private message(leased: Leased): Message {
    return this.reader.messages(leased.unit)[leased.record]!;
  }

  private ownKey(leased: Leased): string {
    const message = this.message(leased);
    return message.routingKey ?? message.key?.toString('utf8') ?? message.tag ?? '';
  }

  /** Formats that do not know dead letters become canonical records with headers that say it. */
  private canonical(leased: Leased, death: Death): StoredPayload {
    const message = this.message(leased);
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
    };
  }
}
