/**
 * What a restart may have lost: each operation that was not known to be durable is there or is not; those that are not
 * are undone in the model, so that it is exact again. Says what must not be: a loss of what was acknowledged, an entry
 * in part, a gap in the log.
 */
import type { CommittedOffset, Group, Offset } from '../types.ts';
import type { Model, ModelLedger, ModelQueue, Operation } from './model.ts';

/** The reopened broker, as far as a model can ask it. */
export interface Reopened {
  end(queue: ModelQueue): Offset;
  start(queue: ModelQueue): Offset;
  isSettled(ledger: ModelLedger, offset: Offset): boolean;
  isLeased(ledger: ModelLedger, offset: Offset): boolean;
  deliveries(ledger: ModelLedger, offset: Offset): number;
  committed(group: Group, queue: ModelQueue): CommittedOffset | null;
  generation(group: Group): number;
}

type Presence = 'there' | 'lost' | 'unknown';

export class ModelBroken extends Error {
  override readonly name = 'ModelBroken';
}

export function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new ModelBroken(what);
}

/** `power`: what was written and not synced may be lost; otherwise nothing that was written is. */
export function restart(model: Model, there: Reopened, power: boolean): void {
  const presence = model.operations.map((operation) => presenceOf(operation, there, model));
  let lastThere = -1;
  model.operations.forEach((operation, n) => {
    if (presence[n] === 'there') lastThere = Math.max(lastThere, operation.turn);
  });
  model.operations.forEach((operation, n) => {
    if (presence[n] !== 'lost') return;
    must(power || operation.turn > model.writtenTurn, `written before the end and lost: ${describe(operation)}`);
    // What a turn only noted is written at its end, behind what was appended before that.
    const turn = operation.kind === 'append' ? operation.turn : operation.turn + 1;
    must(turn >= lastThere, `lost, though later ones are there: ${describe(operation)}`);
  });
  for (let n = model.operations.length - 1; n >= 0; n--)
    if (presence[n] === 'lost') undo(model, model.operations[n]!, there);
  model.operations = [];
  for (const queue of model.queues.values()) {
    const start = there.start(queue);
    must(start <= there.end(queue), `queue ${queue.number} starts at ${start}, behind its end`);
    queue.start = start;
  }
  for (const ledger of model.ledgers.values()) afterRestart(ledger, there);
}

function presenceOf(operation: Operation, there: Reopened, model: Model): Presence {
  switch (operation.kind) {
    case 'append': {
      const rows = operation.rows.filter(({ queue }) => !queue.deleted);
      if (rows.length === 0) return 'unknown';
      const kept = rows.filter(({ queue, base, count }) => there.end(queue) >= base + count);
      must(
        kept.length === rows.length || (kept.length === 0 && rows.every(({ queue, base }) => there.end(queue) <= base)),
        `an entry is there in part: ${describe(operation)}`,
      );
      const settled = operation.settles;
      if (settled !== null && !settled.ledger.queue.deleted && settled.offset >= there.start(settled.ledger.queue)) {
        for (let offset = settled.offset; offset < settled.offset + settled.count; offset++) {
          must(
            there.isSettled(settled.ledger, offset) === kept.length > 0,
            `the copy and the end of its original are not one: ${describe(operation)}`,
          );
        }
      }
      return kept.length > 0 ? 'there' : 'lost';
    }
    case 'settled': {
      const { ledger } = operation;
      if (ledger.queue.deleted) return 'unknown';
      const offsets = operation.offsets.filter((offset) => offset >= there.start(ledger.queue));
      if (offsets.length === 0) return 'unknown';
      const settled = offsets.filter((offset) => there.isSettled(ledger, offset));
      must(settled.length === 0 || settled.length === offsets.length, `settled in part: ${describe(operation)}`);
      return settled.length > 0 ? 'there' : 'lost';
    }
    case 'counted': {
      const { ledger, offset } = operation;
      if (ledger.queue.deleted || offset < there.start(ledger.queue) || there.isSettled(ledger, offset))
        return 'unknown';
      return there.deliveries(ledger, offset) >= operation.count ? 'there' : 'lost';
    }
    case 'place': {
      if (operation.queue.deleted) return 'unknown';
      const actual = there.committed(operation.group, operation.queue);
      const later = model.operations.filter(
        (other) =>
          other.kind === 'place' &&
          other.group === operation.group &&
          other.queue === operation.queue &&
          other.n >= operation.n,
      );
      return later.some((other) => other.kind === 'place' && other.place.metadata === actual?.metadata)
        ? 'there'
        : 'lost';
    }
    case 'generation':
      return there.generation(operation.group) >= operation.generation ? 'there' : 'lost';
    case 'start':
      if (operation.queue.deleted) return 'unknown';
      return there.start(operation.queue) >= operation.offset ? 'there' : 'lost';
  }
}

function undo(model: Model, operation: Operation, there: Reopened): void {
  switch (operation.kind) {
    case 'append': {
      for (const { queue, base } of operation.rows) {
        if (queue.deleted) continue;
        must(
          queue.durableTo <= base,
          `queue ${queue.number}: acknowledged up to ${queue.durableTo}, there up to ${there.end(queue)}`,
        );
        queue.bodies.length = Math.min(queue.bodies.length, base);
      }
      if (operation.settles !== null) {
        const { ledger, offset, count, lease } = operation.settles;
        if (lease !== undefined) ledger.leases.set(offset, lease);
        for (let n = 0; n < count; n++) ledger.settled.delete(offset + n);
      }
      if (operation.held !== null) operation.held.state = 'gone';
      if (operation.fires !== null) operation.fires.state = 'waiting';
      if (operation.producer !== null) {
        const batches = model.producers.get(operation.producer.producer);
        if (batches !== undefined)
          model.producers.set(
            operation.producer.producer,
            batches.filter((batch) => batch !== operation.producer),
          );
      }
      return;
    }
    case 'settled':
      for (const offset of operation.offsets) operation.ledger.settled.delete(offset);
      for (const [offset, lease] of operation.leases) operation.ledger.leases.set(offset, lease);
      return;
    case 'counted':
      operation.ledger.counts.set(operation.offset, operation.count - 1);
      operation.ledger.notBefore.delete(operation.offset);
      if (operation.lease !== undefined) operation.ledger.leases.set(operation.offset, operation.lease);
      return;
    case 'place': {
      const key = `${operation.group.id}@${operation.queue.number}`;
      if (operation.before === null) model.places.delete(key);
      else model.places.set(key, operation.before);
      return;
    }
    case 'generation':
      model.generations.set(operation.group.id, operation.before);
      return;
    case 'start':
      return;
  }
}

/** Leases that were bound to a connection are gone; what was rejected and not yet buried is unsettled again. */
function afterRestart(ledger: ModelLedger, there: Reopened): void {
  ledger.dying.clear();
  for (const [offset, lease] of ledger.leases)
    if (lease.deadlineMs === 0 || !there.isLeased(ledger, offset)) ledger.leases.delete(offset);
    else ledger.leases.set(offset, { holder: {}, deadlineMs: lease.deadlineMs });
  for (let offset = ledger.queue.start; offset < ledger.queue.bodies.length; offset++) {
    if (ledger.settled.has(offset)) continue;
    const count = ledger.counts.get(offset) ?? 0;
    const actual = there.deliveries(ledger, offset);
    must(
      actual >= count,
      `queue ${ledger.queue.number} @${offset}: ${count} deliveries were logged, ${actual} are known`,
    );
    // The end of a lease was known and not yet written: it runs on, until a time that nobody remembers.
    if (there.isLeased(ledger, offset) && !ledger.leases.has(offset)) ledger.unsure.add(offset);
    // A power cut may keep what the model could not know to be written.
    if (actual > 0) ledger.counts.set(offset, actual);
  }
}

function describe(operation: Operation): string {
  const where = `turn ${operation.turn}, operation ${operation.n}: `;
  switch (operation.kind) {
    case 'append':
      return `${where}append to ${operation.rows.map(({ queue, base, count }) => `${queue.number}@${base}+${count}`).join(' ')}${operation.settles === null ? '' : ` settling ${operation.settles.ledger.queue.number}@${operation.settles.offset}`}`;
    case 'settled':
      return `${where}settled ${operation.ledger.queue.number}@${operation.offsets.join(',')}`;
    case 'counted':
      return `${where}returned ${operation.ledger.queue.number}@${operation.offset} x${operation.count}`;
    case 'place':
      return `${where}commit of ${operation.group.name} on ${operation.queue.number}: ${operation.place.offset} ${operation.place.metadata}`;
    case 'generation':
      return `${where}generation ${operation.generation} of ${operation.group.name}`;
    case 'start':
      return `${where}start of ${operation.queue.number} to ${operation.offset}`;
  }
}
