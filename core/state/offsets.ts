/** Committed offsets: the place of each group on each queue it reads by offset. */
import { ByteReader, ByteWriter } from '../log/bytes.ts';
import { readOffsets, writeOffset } from '../log/parts.ts';
import type { CommittedOffset, GroupId, Offset, QueueNumber, TimeMs } from '../types.ts';

export class Offsets {
  private readonly groups = new Map<GroupId, Map<QueueNumber, CommittedOffset>>();

  set(group: GroupId, queue: QueueNumber, offset: Offset, epoch: number, timeMs: TimeMs, metadata: string): void {
    let places = this.groups.get(group);
    if (places === undefined) {
      places = new Map();
      this.groups.set(group, places);
    }
    const place = places.get(queue);
    if (place === undefined) places.set(queue, { offset, metadata, epoch, committedAtMs: timeMs });
    else {
      place.offset = offset;
      place.metadata = metadata;
      place.epoch = epoch;
      place.committedAtMs = timeMs;
    }
  }

  get(group: GroupId, queue: QueueNumber): CommittedOffset | null {
    return this.groups.get(group)?.get(queue) ?? null;
  }

  queues(group: GroupId): QueueNumber[] {
    return [...(this.groups.get(group)?.keys() ?? [])];
  }

  remove(group: GroupId, queues: readonly QueueNumber[]): void {
    const places = this.groups.get(group);
    if (places === undefined) return;
    for (const queue of queues) places.delete(queue);
    if (places.size === 0) this.groups.delete(group);
  }

  removeGroup(group: GroupId): void {
    this.groups.delete(group);
  }

  removeQueues(queues: readonly QueueNumber[]): void {
    for (const places of this.groups.values()) for (const queue of queues) places.delete(queue);
  }

  /** The table as blocks of at most some hundred rows. */
  *write(): Generator<Buffer> {
    const writer = new ByteWriter(16 * 1024);
    let rows = 0;
    for (const [group, places] of this.groups) {
      for (const [queue, place] of places) {
        writeOffset(writer, group, queue, place.offset, place.epoch, place.committedAtMs, place.metadata);
        if (++rows === 256) {
          yield writer.done();
          writer.reset();
          rows = 0;
        }
      }
    }
    if (rows > 0) yield writer.done();
  }

  read(block: Buffer): void {
    readOffsets(new ByteReader(block), (group, queue, offset, epoch, timeMs, metadata) =>
      this.set(group, queue, offset, epoch, timeMs, metadata),
    );
  }
}
