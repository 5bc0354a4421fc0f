/**
 * Idempotent producers: what each (producer, queue) wrote last, so that a retry is answered with its first outcome and
 * a gap is refused. The five last batches are kept apart (a client may have five in flight and repeat all of them after
 * a reconnect). The rule: a duplicate repeats first and last sequence of one of the five; otherwise the
 * next sequence must follow the last one; an unknown producer may begin anywhere; a newer epoch begins at 0.
 * Folded from the log: the state survives a restart as a whole.
 */
import { BrokerError } from '../errors.ts';
import { ByteReader, ByteWriter } from '../log/bytes.ts';
import type { Offset, QueueNumber, TimeMs } from '../types.ts';
import type { QueueProducer } from '../verbs.ts';

const REMEMBERED = 5;
const SEQUENCES = 0x8000_0000;

interface Batch {
  first: number;
  last: number;
  offset: Offset;
  timeMs: TimeMs;
}

interface ProducerQueue {
  epoch: number;
  /** Oldest first. */
  batches: Batch[];
}

export class Producers {
  private readonly rows = new Map<number, Map<QueueNumber, ProducerQueue>>();
  /** Highest epoch seen of each producer over all queues. */
  private readonly epochs = new Map<number, number>();
  next = 1;

  /** The id of the next new producer. Ids that others gave out (a broker before this one) may be at work: not those. */
  free(): number {
    let id = this.next;
    while (this.rows.has(id)) id++;
    return id;
  }

  /** The first outcome when this is a repetition, null when it is new. Throws producer-fenced, sequence-out-of-order. */
  check(producer: number, epoch: number, queue: QueueNumber, baseSequence: number, records: number): Batch | null {
    const highest = this.epochs.get(producer);
    if (highest !== undefined && epoch < highest) {
      throw new BrokerError(
        'producer-fenced',
        `producer ${producer} has epoch ${highest}, this request ${epoch}: another instance took over`,
      );
    }
    const row = this.rows.get(producer)?.get(queue);
    if (row === undefined) return null;
    if (epoch > row.epoch) {
      if (baseSequence === 0) return null;
      throw new BrokerError(
        'sequence-out-of-order',
        `producer ${producer} begins epoch ${epoch} with sequence ${baseSequence} instead of 0`,
      );
    }
    const last = (baseSequence + records - 1) % SEQUENCES;
    for (const batch of row.batches) if (batch.first === baseSequence && batch.last === last) return batch;
    const expected = (row.batches[row.batches.length - 1]!.last + 1) % SEQUENCES;
    if (baseSequence !== expected) {
      throw new BrokerError(
        'sequence-out-of-order',
        `producer ${producer} sent sequence ${baseSequence}, expected ${expected}`,
      );
    }
    return null;
  }

  apply(
    producer: number,
    epoch: number,
    queue: QueueNumber,
    baseSequence: number,
    records: number,
    offset: Offset,
    timeMs: TimeMs,
  ): void {
    if (epoch > (this.epochs.get(producer) ?? -1)) this.epochs.set(producer, epoch);
    let queues = this.rows.get(producer);
    if (queues === undefined) {
      queues = new Map();
      this.rows.set(producer, queues);
    }
    let row = queues.get(queue);
    if (row === undefined || epoch > row.epoch) {
      row = { epoch, batches: [] };
      queues.set(queue, row);
    } else if (epoch < row.epoch || row.batches[row.batches.length - 1]!.offset >= offset) return;
    row.batches.push({ first: baseSequence, last: (baseSequence + records - 1) % SEQUENCES, offset, timeMs });
    if (row.batches.length > REMEMBERED) row.batches.shift();
  }

  removeQueues(queues: readonly QueueNumber[]): void {
    for (const rows of this.rows.values()) for (const queue of queues) rows.delete(queue);
  }

  /** What each producer wrote last to a queue. */
  *of(queue: QueueNumber): Generator<QueueProducer> {
    for (const [producerId, queues] of this.rows) {
      const row = queues.get(queue);
      if (row === undefined) continue;
      const { last, timeMs } = row.batches[row.batches.length - 1]!;
      yield { producerId, producerEpoch: row.epoch, lastSequence: last, lastTimeMs: timeMs };
    }
  }

  /** Forgets producers that wrote nothing since `beforeMs`; an expired one may begin anywhere again. */
  expire(beforeMs: TimeMs): void {
    for (const [producer, queues] of this.rows) {
      for (const [queue, row] of queues)
        if (row.batches[row.batches.length - 1]!.timeMs < beforeMs) queues.delete(queue);
      if (queues.size === 0) {
        this.rows.delete(producer);
        this.epochs.delete(producer);
      }
    }
  }

  *write(): Generator<Buffer> {
    const writer = new ByteWriter(16 * 1024);
    for (const [producer, queues] of this.rows) {
      for (const [queue, row] of queues) {
        for (const batch of row.batches) {
          writer.varint(producer);
          writer.varint(row.epoch);
          writer.varint(queue);
          writer.varint(batch.first);
          writer.varint((batch.last - batch.first + SEQUENCES) % SEQUENCES);
          writer.varint(batch.offset);
          writer.varint(batch.timeMs);
        }
        if (writer.length > 8192) {
          yield writer.done();
          writer.reset();
        }
      }
    }
    if (writer.length > 0) yield writer.done();
  }

  read(block: Buffer): void {
    const reader = new ByteReader(block);
    while (reader.more) {
      const producer = reader.varint();
      const epoch = reader.varint();
      const queue = reader.varint();
      const first = reader.varint();
      const records = reader.varint() + 1;
      const offset = reader.varint();
      this.apply(producer, epoch, queue, first, records, offset, reader.varint());
    }
  }
}
