/**
 * Messages that are not yet due. They lie in a queue of the broker's own, each with the time it is due and the queue it
 * is meant for; when the time has come the message is published there (and routed, like any message published there)
 * and the held one is settled, in one entry. So a crash neither loses nor doubles it. A queue of the kind `system`
 * stands for the exchange of its name: what is meant for it is published through that, by the message's routing key.
 */
import { BrokerError } from '../errors.ts';
import { emptyMessageFields, readMessagePart } from '../log/parts.ts';
import { type Queue, UnitCursor } from '../log/queue.ts';
import { unitBase, unitCount, unitExpiry } from '../log/units.ts';
import type { Publisher } from '../publish.ts';
import type { Shard } from '../shard.ts';
import { DueList } from '../state/due.ts';
import { SettleSection } from '../state/settle-notes.ts';
import type { GroupId, Offset, TimeMs } from '../types.ts';
import { emptyAppend } from './append.ts';
import { emptyUnit, type OffsetReader } from './offset-reader.ts';

const RELEASES_PER_TURN = 1000;
const RETRY_MS = 1000;

export class Hold {
  private readonly shard: Shard;
  private readonly reader: OffsetReader;
  private readonly publisher: Publisher;
  private readonly queue: Queue;
  private readonly group: GroupId;
  private readonly due = new DueList();
  private readonly cursor = new UnitCursor();
  private readonly unit = emptyUnit();
  private readonly fields = emptyMessageFields();
  private readonly append = emptyAppend();
  private readonly section: SettleSection;
  private timer = 0;
  private timerAtMs = Number.POSITIVE_INFINITY;

  constructor(shard: Shard, reader: OffsetReader, publisher: Publisher, queue: Queue, group: GroupId) {
    this.shard = shard;
    this.reader = reader;
    this.publisher = publisher;
    this.queue = queue;
    this.group = group;
    this.section = new SettleSection(group, queue.number);
    this.restore();
  }

  get pending(): number {
    return this.due.size;
  }

  add(atMs: TimeMs, offset: Offset): void {
    this.due.add(atMs, 0, offset, 0);
    this.arm();
  }

  /** Everything held and not yet settled, after a restart. */
  private restore(): void {
    const ledger = this.shard.tables.openLedger(this.group, this.queue.number, 0);
    const at = this.cursor;
    try {
      ledger.eachUnsettled(Math.max(ledger.floor, this.queue.start), this.queue.visible, (offset) => {
        if (!at.holds(this.queue, offset) && !at.seek(this.queue, offset)) return;
        if (unitBase(at.bytes, at.at) === offset) this.due.add(unitExpiry(at.bytes, at.at), 0, offset, 0);
      });
    } catch (error) {
      // What was added already is added again: the second one finds it settled.
      this.reader.afterRepair(error, () => this.restore());
    }
    this.arm();
  }

  private arm(): void {
    const atMs = this.due.nextMs();
    if (atMs >= this.timerAtMs) return;
    if (this.timer !== 0) this.shard.clock.clearTimer(this.timer);
    this.timerAtMs = atMs;
    this.timer = this.shard.clock.setTimer(Math.max(0, atMs - this.shard.log.storeTimeMs()), this.fire);
  }

  private readonly fire = (): void => {
    this.timer = 0;
    this.timerAtMs = Number.POSITIVE_INFINITY;
    if (this.shard.log.lost !== null || this.publisher.stopping) return;
    const taken = this.due.take(this.shard.log.storeTimeMs(), RELEASES_PER_TURN, (_kind, offset) =>
      this.release(offset),
    );
    if (taken === RELEASES_PER_TURN) this.shard.clock.afterTurn(this.fire);
    else this.arm();
  };

  private release(offset: Offset): void {
    const ledger = this.shard.tables.openLedger(this.group, this.queue.number, 0);
    const at = this.cursor;
    if (ledger.unsettledIn(offset, offset + 1) === 0) return;
    // Not yet visible: its own commit is still under way.
    if (offset >= this.queue.visible) return this.later(offset, 10);
    try {
      if (!at.seek(this.queue, offset) || unitBase(at.bytes, at.at) !== offset) return;
    } catch (error) {
      return this.reader.afterRepair(error, () => this.release(offset));
    }
    const where = this.reader.fill(at, this.unit);
    if (where === 'cold') return this.reader.loadCold(at, () => this.release(offset));
    const count = unitCount(at.bytes, at.at);
    if (where === 'damaged') return this.drop(offset, count);
    this.publish(offset, count);
  }

  private later(offset: Offset, delayMs: number): void {
    this.due.add(this.shard.log.storeTimeMs() + delayMs, 0, offset, 0);
    this.arm();
  }

  private publish(offset: Offset, count: number): void {
    const { tables } = this.shard;
    const ledger = tables.openLedger(this.group, this.queue.number, 0);
    const entry = this.reader.entryOf(this.cursor);
    readMessagePart(entry.bytes, entry.part, this.fields, tables.setSize);
    const { unit, append, fields } = this;
    // A unit keeps its expiry to 49 days behind its store time: what is due later is looked at again then.
    const leftMs = fields.dueMs - this.shard.log.storeTimeMs();
    if (leftMs > 0) return this.later(offset, leftMs);
    const keys: number[] = [];
    for (let k = 0; k < fields.keyCount; k++) keys.push(entry.bytes.readUInt32LE(fields.keysAt + k * 4));
    const destination = tables.queues.get(fields.dueQueue);
    const topic = destination === undefined ? null : tables.catalog.topicById(destination.topic);
    // Its topic was deleted meanwhile: nobody can read it.
    if (destination === undefined || topic === null) return this.drop(offset, count);
    try {
      if (topic.kind === 'system') {
        append.topic = null;
        append.exchange = topic.name;
        append.routingKey = this.reader.messages(unit)[0]?.routingKey ?? '';
        append.queue = -1;
      } else {
        append.topic = topic;
        append.exchange = null;
        append.routingKey = null;
        append.queue = destination.id;
      }
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      return this.drop(offset, count);
    }
    append.namespace = topic.namespace;
    append.format = unit.format;
    append.payload = unit.payload;
    append.records = count;
    append.tagHash = unit.tagHash;
    append.recordTimeMaxMs = unit.recordTimeMaxMs;
    append.flags = unit.flags & ~8;
    append.priority = unit.priority;
    // The time to live begins where the message enters its queue.
    append.expiryMs = fields.expiryMs === 0 ? 0 : fields.expiryMs + fields.dueMs - unit.storeTimeMs;
    append.keys = keys;
    try {
      const original = { group: this.group, queue: this.queue.number, offset, count };
      if (this.publisher.transfer(append, original) > 0) ledger.skip(offset, count);
      // A full queue makes its publishers wait; what was taken already waits here.
      else if (topic.attributes.rules?.overflow === 'refuse') this.later(offset, RETRY_MS);
      else this.drop(offset, count);
    } catch (error) {
      if (this.shard.log.lost !== null) return;
      if (!(error instanceof BrokerError)) throw error;
      if (error.code === 'exchange-not-found') this.drop(offset, count);
      else this.later(offset, RETRY_MS);
    }
  }

  /** Nobody takes it. */
  private drop(offset: Offset, count: number): void {
    this.shard.tables.openLedger(this.group, this.queue.number, 0).skip(offset, count);
    this.section.settled(offset, count);
    this.shard.touch(this.section);
  }
}
