/** What a simulated run does: each verb draws what it needs, does it to the broker, and tells the model. */
import { BrokerError } from '../errors.ts';
import type { Binding, LeaseConsumer, Leased, Topic, TopicAttributes, TopicSpec } from '../types.ts';
import type { HeldMessage, ModelLedger, ModelQueue, ModelTopic, ProducerBatch } from './model.ts';
import { must } from './model-restart.ts';
import { TESTER } from './sim-broker.ts';
import type { Simulation } from './simulation.ts';
import { reconcileDying, short } from './simulation-checks.ts';

type Verb = (s: Simulation) => Promise<void> | void;

const TOPICS_MAX = 6;
/** Room of a full disk, in bytes: some writes go on, a segment does not fit. */
const FULL_SLACK = 8 * 1024;

// ---------------------------------------------------------------- names

async function createTopic(s: Simulation): Promise<void> {
  if (s.full || s.model.topics.size > TOPICS_MAX) return;
  const { random } = s;
  const name = s.name('t');
  const attributes: Partial<TopicAttributes> = { flush: random.chance(0.6) ? 'sync' : 'async' };
  const retained = random.chance(0.3);
  if (retained) attributes.retention = { mode: 'log', timeMs: random.pick([500, 3000]), bytes: -1 };
  s.note(`create topic ${name} ${attributes.flush}`);
  const topic = await s.attempt(name, create(s, { kind: 'topic', name, queues: 1 + random.int(2), attributes }));
  if (topic !== null) s.model.addTopic(topic, retained);
}

export function create(s: Simulation, spec: Omit<TopicSpec, 'namespace'>): Promise<Topic> {
  return s.sim.broker.createTopic(TESTER, { namespace: 'default', ...spec });
}

async function createQueue(s: Simulation): Promise<void> {
  if (s.full || s.model.topics.size > TOPICS_MAX) return;
  const { random } = s;
  const name = s.name('q');
  const attributes: Partial<TopicAttributes> = { flush: random.chance(0.6) ? 'sync' : 'async' };
  if (random.chance(0.6)) {
    attributes.deadLetter = { exchange: '', routingKey: 'dead' };
    if (random.chance(0.5)) attributes.deliveriesMax = 1 + random.int(3);
    if (random.chance(0.2)) attributes.messageTtlMs = 200 + random.int(2000);
    if (random.chance(0.2)) attributes.rules = { readyMax: 5 + random.int(20) };
  }
  s.note(`create queue ${name} ${JSON.stringify(attributes)}`);
  const topic = await s.attempt(name, create(s, { kind: 'queue', name, queues: 1, attributes }));
  if (topic !== null) s.model.addTopic(topic, false);
}

const topicsOf = (s: Simulation, kind: 'topic' | 'queue'): ModelTopic[] =>
  [...s.model.topics.values()].filter(({ topic }) => topic.kind === kind);

function anyTopic(s: Simulation, kind: 'topic' | 'queue'): ModelTopic | null {
  const rows = topicsOf(s, kind);
  return rows.length === 0 ? null : s.random.pick(rows);
}

async function alterTopic(s: Simulation): Promise<void> {
  const row = anyTopic(s, 'topic');
  if (row === null || s.full) return;
  const { random } = s;
  const { name } = row.topic;
  const change = random.chance(0.5)
    ? { attributes: { flush: random.chance(0.5) ? ('sync' as const) : ('async' as const) } }
    : { queues: Math.min(4, row.queues.length + 1) };
  s.note(`alter ${name} ${JSON.stringify(change)}`);
  const topic = await s.attempt(name, s.sim.broker.alterTopic(TESTER, row.topic, change));
  if (topic === null) return;
  s.model.addTopic(topic, row.retained);
}

async function deleteTopic(s: Simulation): Promise<void> {
  if (s.random.chance(0.7) || s.full) return;
  const row = anyTopic(s, s.random.pick(['topic', 'queue'] as const));
  if (row === null || row.topic.name === 'dead') return;
  const { name } = row.topic;
  s.note(`delete ${name}`);
  s.pending.add('binding');
  const done = await s.attempt(
    name,
    s.sim.broker.deleteTopic(TESTER, row.topic).then(() => true),
  );
  if (done === null) return;
  s.pending.delete('binding');
  s.model.removeTopic(name);
}

const bindingOf = (names: { source: string; destination: string }, routingKey: string): Binding => ({
  namespace: 'default',
  destinationKind: 'queue',
  arguments: '',
  match: null,
  routingKey,
  ...names,
});

async function bind(s: Simulation): Promise<void> {
  const source = anyTopic(s, 'topic');
  const destination = anyTopic(s, 'queue');
  if (source === null || destination === null || s.full || s.random.chance(0.5)) return;
  const key = s.random.pick(['#', 'k0', 'k1']);
  const names = { source: source.topic.name, destination: destination.topic.name };
  if (names.destination === 'dead') return;
  s.note(`bind ${names.source} to ${names.destination} by ${key}`);
  // It routes at once; what is routed by it is durable after it.
  const binding = s.sim.broker.bind(TESTER, bindingOf(names, key)).then(() => true);
  const there = s.model.bindings.some(
    (row) => row.source === names.source && row.destination === names.destination && row.key === key,
  );
  if (!there) s.model.bindings.push({ ...names, key });
  await s.attempt('binding', binding);
}

// ---------------------------------------------------------------- publishing

function records(s: Simulation, count: number, size: number): { key: string; body: string }[] {
  return Array.from({ length: count }, () => ({
    key: s.random.pick(['k0', 'k1', 'k2']),
    body: s.name('m').padEnd(size, '.'),
  }));
}

const encoded = (rows: readonly { key: string; body: string }[]): string[] =>
  rows.map(({ key, body }) => `${key}|t|${body}`);

/** At which level an append to these queues is answered, as far as it is certain. */
function isSync(s: Simulation, queues: readonly ModelQueue[]): boolean {
  return [...s.model.topics.values()].some(
    ({ flush, queues: own }) => flush === 'sync' && own.some((queue) => queues.includes(queue)),
  );
}

function publish(s: Simulation, row: ModelTopic, count: number, size: number): boolean {
  const id = s.random.int(row.queues.length);
  const batch = records(s, count, size);
  const rows = s.model.route(row.topic.name, row.queues[id]!, batch);
  const sync = isSync(
    s,
    rows.map(([queue]) => queue),
  );
  const byExchange = s.random.chance(0.2) && row.topic.kind === 'queue';
  const where = byExchange ? { exchange: '', routingKey: row.topic.name, queue: -1 } : { topic: row.topic, queue: id };
  s.note(`publish ${count} x ${size} to ${row.topic.name}/${id}${sync ? '' : ' async'} ${short(batch[0]!.body)}`);
  return s.append({ ...where, bodies: encoded(batch) }, sync, () => s.model.append(rows, {}, s.nowMs));
}

function send(s: Simulation): void {
  const row = anyTopic(s, s.random.pick(['topic', 'queue'] as const));
  if (row !== null) publish(s, row, 1 + s.random.int(6), s.random.pick([10, 10, 300]));
}

function burst(s: Simulation): void {
  const row = anyTopic(s, s.random.pick(['topic', 'queue'] as const));
  if (row === null) return;
  const size = s.random.pick([500, 2000]);
  for (let n = 5 + s.random.int(15); n > 0 && !s.down; n--) {
    if (!publish(s, row, 1 + s.random.int(3), size)) return;
    if (s.random.chance(0.1)) s.turn();
  }
}

/** Messages to two topics, and often the end of a lease. */
function transact(s: Simulation): void {
  const { random, model } = s;
  const targets = [0, 1].map(() => anyTopic(s, random.pick(['topic', 'queue'] as const)));
  const appends: Parameters<Simulation['transact']>[0][number][] = [];
  const rows: [ModelQueue, string[]][] = [];
  for (const row of targets) {
    if (row === null) continue;
    const queue = random.int(row.queues.length);
    const batch = records(s, 1 + random.int(3), random.pick([10, 300]));
    appends.push({ topic: row.topic, queue, bodies: encoded(batch) });
    rows.push(...model.route(row.topic.name, row.queues[queue]!, batch));
  }
  if (appends.length === 0) return;
  const sync = isSync(
    s,
    rows.map(([queue]) => queue),
  );
  const ledgers = [...model.ledgers.values()].filter(({ leases }) => leases.size > 0);
  const ledger = ledgers.length > 0 && random.chance(0.7) ? random.pick(ledgers) : null;
  const offset = ledger === null ? -1 : random.pick([...ledger.leases.keys()]);
  const ends = ledger !== null && !ledger.dying.has(offset) ? ledger : null;
  s.note(`transact ${appends.length}${ends === null ? '' : `, done with ${ends.queue.number}@${offset}`}`);
  const settles = ends === null ? [] : [{ group: ends.group, queue: ends.queue.number, offset }];
  s.transact(appends, settles, sync, () => {
    if (ends === null) return model.append(rows, {}, s.nowMs);
    const lease = ends.leases.get(offset);
    model.markSettled(ends, offset);
    return model.append(rows, { settles: { ledger: ends, offset, count: 1, lease } }, s.nowMs);
  });
}

function idempotent(s: Simulation): void {
  const row = anyTopic(s, 'topic');
  if (row === null) return;
  const { random, model } = s;
  const producer = 1000 + random.int(3);
  const id = random.int(row.queues.length);
  const queue = row.queues[id]!;
  const key = `${producer}@${queue.number}`;
  const batches = model.producers.get(key) ?? [];
  const last = batches[batches.length - 1];
  const repeated = batches.length > 0 && random.chance(0.5) ? random.pick(batches.slice(-5)) : null;
  const sequence = repeated?.sequence ?? (last === undefined ? random.int(5) : last.sequence + last.count);
  const count = repeated?.count ?? 1 + random.int(3);
  const batch = records(s, count, 10);
  const rows = model.route(row.topic.name, queue, batch);
  const sync = isSync(
    s,
    rows.map(([one]) => one),
  );
  const change = { topic: row.topic, queue: id, producerId: producer, producerEpoch: 0, baseSequence: sequence };
  s.note(`idempotent ${key} ${sequence}+${count}${repeated === null ? '' : ' again'}`);
  // A gap is refused whatever came before.
  if (last !== undefined && random.chance(0.2)) {
    let code = '';
    try {
      s.append({ ...change, baseSequence: last.sequence + last.count + 7, bodies: encoded(batch) }, sync, () => null);
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      code = error.code;
    }
    must(code === 'sequence-out-of-order' || s.full || s.down, `a gap in the sequence of ${key} was not refused`);
  }
  if (s.down) return;
  const answer = repeated === null ? null : { queue: queue.number, base: repeated.base };
  s.append(
    { ...change, bodies: encoded(batch) },
    sync,
    () => {
      const made: ProducerBatch = { producer: key, sequence, count, base: queue.bodies.length };
      model.producers.set(key, [...batches, made]);
      return model.append(rows, { producer: made }, s.nowMs);
    },
    answer,
  );
}

function hold(s: Simulation): void {
  const row = anyTopic(s, s.random.pick(['topic', 'queue'] as const));
  if (row === null || row.topic.name === 'dead') return;
  const { random, model } = s;
  const id = random.int(row.queues.length);
  const batch = records(s, 1 + random.int(2), 20);
  const ledger = s.holdLedger();
  const held: HeldMessage = {
    records: batch,
    dueMs: s.nowMs + 1 + random.int(random.pick([30, 3000])),
    topic: row.topic.name,
    queue: row.queues[id]!,
    ledger,
    offset: ledger.queue.bodies.length,
    state: 'waiting',
  };
  s.note(`hold ${short(batch[0]!.body)} for ${row.topic.name}/${id} until ${held.dueMs % 1_000_000}`);
  s.append({ topic: row.topic, queue: id, notBeforeMs: held.dueMs, bodies: encoded(batch) }, true, () => {
    model.held.push(held);
    return model.append([[ledger.queue, batch.map(({ body }) => body)]], { held }, s.nowMs);
  });
}

// ---------------------------------------------------------------- leases

/** A queue with its own group, or a log topic with a group that reads it by lease. */
function anyLine(s: Simulation): { ledger: ModelLedger; topic: Topic } | null {
  const row = anyTopic(s, 'queue');
  if (row === null) return null;
  const group = s.sim.broker.groupById(row.topic.ownGroup)!;
  return { ledger: s.model.ledger(group, row.queues[0]!), topic: row.topic };
}

function leased(
  s: Simulation,
  ledger: ModelLedger,
  topic: Topic,
  one: Leased,
  holder: object,
  deadlineMs: number,
): void {
  const { offset, deliveries } = one;
  const { queue } = ledger;
  const where = `lease of ${queue.number}@${offset}`;
  const body = s.sim.broker.messages(one.unit)[one.record]!.body!.toString();
  s.note(`${where} x${deliveries}${deadlineMs > 0 ? ` until ${deadlineMs % 1_000_000}` : ''}`);
  const held = ledger.leases.get(offset);
  // Its time was over in the middle of this pass.
  if (held !== undefined && held.deadlineMs > 0 && held.deadlineMs <= s.nowMs)
    s.model.giveBack(ledger, offset, 0, s.nowMs);
  must(one.queue === queue.number, `${where} came for queue ${one.queue}`);
  must(!ledger.settled.has(offset), `${where}, which is settled`);
  must(!ledger.leases.has(offset), `${where}, which is leased`);
  must(offset < (s.sim.broker.queue(queue.number)?.endOffset ?? 0), `${where}, which is not visible`);
  must(body === queue.bodies[offset], `${where} brings '${short(body)}'`);
  if (ledger.unsure.delete(offset)) ledger.counts.set(offset, deliveries);
  must(deliveries === (ledger.counts.get(offset) ?? 0), `${where} says ${deliveries} deliveries`);
  must(deliveries === 0 || one.redelivered, `${where} does not say that it is redelivered`);
  must((ledger.notBefore.get(offset) ?? 0) <= s.nowMs, `${where} comes too early`);
  const { deliveriesMax } = topic.attributes;
  must(deliveriesMax < 0 || deliveries < deliveriesMax, `${where} beyond the limit of ${deliveriesMax}`);
  ledger.notBefore.delete(offset);
  ledger.leases.set(offset, { holder, deadlineMs });
}

function take(s: Simulation): void {
  const line = anyLine(s);
  if (line === null) return;
  const { ledger, topic } = line;
  const holder = s.random.pick(s.holders);
  const leaseMs = s.random.pick([0, 0, 50, 400]);
  for (let n = 1 + s.random.int(6); n > 0 && !s.down; n--) {
    const taken = s.sim.broker.leaseOne(TESTER, ledger.group, ledger.queue.number, holder, leaseMs, (one) =>
      leased(s, ledger, topic, one, holder, leaseMs === 0 ? 0 : s.nowMs + leaseMs),
    );
    if (!taken) return;
  }
}

function subscribe(s: Simulation): void {
  const line = anyLine(s);
  if (line === null || s.consumers.size > 3) return;
  const { ledger, topic } = line;
  const autoSettle = s.random.chance(0.2);
  let capacity = 1 + s.random.int(8);
  const consumer: LeaseConsumer = {
    group: ledger.group,
    queues: [ledger.queue.number],
    priority: s.random.int(2),
    exclusive: false,
    autoSettle,
    capacity: () => capacity,
    deliver: (one) => {
      capacity--;
      leased(s, ledger, topic, one, consumer, 0);
      if (autoSettle) s.model.settle(ledger, [one.offset], s.nowMs);
    },
    cancelled: () => void s.consumers.delete(consumer),
  };
  s.note(`subscribe to ${ledger.queue.number}${autoSettle ? ', settled at delivery' : ''}`);
  s.consumers.set(consumer, { ledger });
  s.sim.broker.subscribe(TESTER, consumer);
}

/** Returned to their places, in order. */
function released(s: Simulation, holder: object, ledgers: Iterable<ModelLedger>): void {
  reconcileDying(s.sim.broker, s.model, s.nowMs);
  for (const ledger of ledgers) {
    const offsets = [...ledger.leases].filter(([, lease]) => lease.holder === holder).map(([offset]) => offset);
    for (const offset of offsets.sort((a, b) => a - b)) s.model.giveBack(ledger, offset, 0, s.nowMs);
  }
}

function vanish(s: Simulation): void {
  const consumers = [...s.consumers.keys()];
  if (consumers.length > 0 && s.random.chance(0.5)) {
    const consumer = s.random.pick(consumers);
    const { ledger } = s.consumers.get(consumer)!;
    s.note(`unsubscribe from ${ledger.queue.number}`);
    s.consumers.delete(consumer);
    s.sim.broker.unsubscribe(consumer);
    released(s, consumer, [ledger]);
    return;
  }
  const holder = s.random.pick(s.holders);
  s.note('release');
  s.sim.broker.release(holder);
  released(s, holder, s.model.ledgers.values());
}

function settle(s: Simulation): void {
  const ledgers = [...s.model.ledgers.values()].filter(({ leases }) => leases.size > 0);
  if (ledgers.length === 0) return;
  const ledger = s.random.pick(ledgers);
  const topic = [...s.model.topics.values()].find(({ queues }) => queues.includes(ledger.queue))!.topic;
  for (let n = 1 + s.random.int(5); n > 0 && ledger.leases.size > 0 && !s.down; n--) {
    const offset = s.random.pick([...ledger.leases.keys()]);
    if (ledger.dying.has(offset)) continue;
    settleOne(s, ledger, topic, offset);
  }
}

function settleOne(s: Simulation, ledger: ModelLedger, topic: Topic, offset: number): void {
  const { broker } = s.sim;
  const { number } = ledger.queue;
  const outcome = s.random.pick(['done', 'done', 'done', 'requeue', 'retry', 'reject'] as const);
  const delayMs = outcome === 'retry' ? s.random.pick([0, 30, 500]) : 0;
  s.note(`settle ${number}@${offset} ${outcome}`);
  const buries = outcome === 'reject' && topic.attributes.deadLetter !== null;
  if (buries) ledger.dying.add(offset);
  must(broker.settle(ledger.group, number, offset, outcome, delayMs), `${number}@${offset} is not leased any more`);
  if (outcome === 'done' || (outcome === 'reject' && !buries)) s.model.settle(ledger, [offset], s.nowMs);
  else if (!buries) s.model.giveBack(ledger, offset, delayMs > 0 ? s.nowMs + delayMs : 0, s.nowMs);
  if (outcome === 'done') must(!broker.settle(ledger.group, number, offset, 'done'), 'settled twice');
}

async function purge(s: Simulation): Promise<void> {
  const line = anyLine(s);
  if (line === null || s.random.chance(0.8)) return;
  const { ledger, topic } = line;
  reconcileDying(s.sim.broker, s.model, s.nowMs);
  const end = s.sim.broker.queue(ledger.queue.number)!.endOffset;
  const offsets: number[] = [];
  for (let offset = ledger.queue.start; offset < end; offset++)
    if (!ledger.settled.has(offset) && !ledger.leases.has(offset)) offsets.push(offset);
  s.note(`purge ${ledger.queue.number}: ${offsets.length}`);
  const purging = s.sim.broker.purge(TESTER, topic);
  // Each range that is settled is an operation of its own; the entry holds them all.
  s.model.settle(ledger, offsets, s.nowMs);
  const count = await purging;
  must(s.down || count === offsets.length, `purged ${count} of ${offsets.length}`);
}

// ---------------------------------------------------------------- places

function commit(s: Simulation): void {
  const row = anyTopic(s, 'topic');
  if (row === null) return;
  const group = s.random.pick(s.groups());
  const queue = s.random.pick(row.queues);
  const place = { offset: s.random.int(queue.bodies.length + 1), metadata: s.name('c') };
  s.note(`commit ${group.name} on ${queue.number}: ${place.offset} ${place.metadata}`);
  s.sim.broker.commitOffsets(TESTER, group, [{ queue: queue.number, ...place, epoch: -1 }], null, 0);
  s.model.place(group, queue, place, s.nowMs);
}

function generation(s: Simulation): void {
  const group = s.random.pick(s.groups());
  const before = s.model.generations.get(group.id) ?? 0;
  s.note(`generation ${before + 1} of ${group.name}`);
  s.sim.broker.putGeneration(TESTER, group, before + 1, Buffer.from('x'), null, 0);
  s.model.generations.set(group.id, before + 1);
  s.model.log({ kind: 'generation', group, generation: before + 1, before }, s.nowMs);
}

async function moveStart(s: Simulation): Promise<void> {
  const row = anyTopic(s, 'topic');
  if (row === null || s.full) return;
  const queue = s.random.pick(row.queues);
  const { startOffset, endOffset } = s.sim.broker.queue(queue.number)!;
  const offset = startOffset + s.random.int(endOffset - startOffset + 1);
  if (offset === startOffset) return;
  s.note(`move the start of ${queue.number} to ${offset}`);
  const moving = s.sim.broker.moveStart(TESTER, queue.number, offset);
  queue.start = offset;
  s.model.log({ kind: 'start', queue, offset }, s.nowMs);
  await s.attempt(`start of ${queue.number}`, moving);
}

// ---------------------------------------------------------------- time and space

function pass(s: Simulation): void {
  s.advance(s.random.pick([1, 20, 200, 1500]));
}

function rest(s: Simulation): void {
  for (let n = 0; n < 10 && !s.down; n++) s.advance(100);
}

function fill(s: Simulation): void {
  if (s.full || s.random.chance(0.7)) return;
  s.full = true;
  s.faulty = true;
  s.disk.capacityBytes = s.disk.usedBytes + s.random.int(4) * FULL_SLACK;
  s.note('the disk is full');
}

function makeRoom(s: Simulation): void {
  if (!s.full) return;
  s.disk.capacityBytes = 2 ** 40;
  s.note('there is space again');
  for (let n = 0; n < 20 && !s.down; n++) s.advance(100);
  if (s.down) return;
  must(!s.sim.broker.storageFull, 'publishers are still refused, two seconds after there was space');
  s.full = false;
}

/** The first two make the names that every run begins with. */
export const VERBS: readonly Verb[] = [
  createTopic,
  createQueue,
  alterTopic,
  deleteTopic,
  bind,
  send,
  send,
  send,
  send,
  burst,
  burst,
  idempotent,
  idempotent,
  transact,
  hold,
  take,
  take,
  take,
  subscribe,
  vanish,
  settle,
  settle,
  settle,
  settle,
  purge,
  commit,
  commit,
  generation,
  moveStart,
  pass,
  pass,
  rest,
  fill,
  makeRoom,
];
