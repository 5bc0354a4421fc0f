/**
 * A seeded run of a broker on a simulated disk beside the naive model: random verbs (simulation-verbs.ts), random ends
 * and disk faults, and after each the comparison of both. The same seed makes the same run on every machine.
 *
 * Invariants: every draw comes from the one generator; nothing here looks at real time.
 */
import type { BrokerOptions } from '../assembly.ts';
import { Broker } from '../broker.ts';
import { DiskError } from '../log/disk.ts';
import { canonicalCodec } from '../log/record.ts';
import type { LeaseConsumer, Offset, QueueNumber } from '../types.ts';
import type { AppendTarget } from '../verbs.ts';
import { batchCodec } from './batch-codec.ts';
import { Model, type ModelLedger, type ModelQueue, type Operation } from './model.ts';
import { ModelBroken, must, restart } from './model-restart.ts';
import { SimBroker, TESTER } from './sim-broker.ts';
import { SimClock } from './sim-clock.ts';
import { type DiskOperation, SimCrash, SimDisk } from './sim-disk.ts';
import { SimRandom } from './sim-random.ts';
import {
  asReopened,
  checkEnds,
  checkLedger,
  checkPlaces,
  checkQueue,
  readAll,
  reconcileDying,
  short,
} from './simulation-checks.ts';
import { create, VERBS } from './simulation-verbs.ts';

export interface SimulationReport {
  seed: number;
  steps: number;
  restarts: number;
  crashes: number;
  appends: number;
  /** Of everything that was done and answered: the same for the same seed. */
  fingerprint: number;
}

class SimulationFailure extends Error {
  override readonly name = 'SimulationFailure';
}

const FAILING: readonly DiskOperation[] = ['write', 'sync', 'sync-async', 'rename', 'sync-directory', 'open', 'remove'];
const TRACE = 60;
/** A state change that is not committed after so many turns waits for a disk that is gone. */
const TURNS_MAX = 3000;
const SYNC_LATENCY_MAX_MS = 40;

interface Waiting {
  operation: Operation | null;
  queue: QueueNumber;
  base: Offset;
  sync: boolean;
}

export class Simulation {
  readonly random: SimRandom;
  readonly model = new Model();
  readonly clock = new SimClock();
  readonly options: Partial<BrokerOptions>;
  readonly report: SimulationReport;
  readonly consumers = new Map<LeaseConsumer, { ledger: ModelLedger }>();
  readonly holders: object[] = [{}, {}, {}];
  readonly holdLedger: () => ModelLedger;
  sim!: SimBroker;
  disk: SimDisk;
  /** The process is gone: nothing that comes from now on was ever heard. */
  crashed = false;
  /** A fault was injected since the start: warnings are to be expected. */
  faulty = false;
  full = false;
  /** A sync failed off the loop: its error came later than other calls. */
  private syncFailed = false;
  private ended = false;
  private closing = false;
  /** Names whose last change was not answered. */
  readonly pending = new Set<string>();
  private readonly warnings: string[] = [];
  private readonly waiting = new Map<number, Waiting>();
  private nextToken = 1;
  private lastSyncToken = 0;
  /** Set while a verb appends: what the append became. */
  private appending: { queue: QueueNumber; base: Offset } | null = null;
  private epoch = 0;
  private names = 0;
  private readonly trace: string[] = [];
  private readonly target: AppendTarget = {
    appended: (token, queue, base) => this.appended(token, queue, base),
  };

  constructor(seed: number, steps: number) {
    this.random = new SimRandom(seed);
    this.report = { seed, steps, restarts: 0, crashes: 0, appends: 0, fingerprint: 0 };
    this.disk = new SimDisk({ clock: this.clock });
    const { random } = this;
    const segmentBytes = random.pick([32, 64, 128]) * 1024;
    this.options = {
      segmentBytes,
      reserveBytes: segmentBytes / random.pick([4, 8]),
      ballastBytes: random.pick([0, 16 * 1024]),
      hotBytes: random.pick([1, 16 * 1024 * 1024]),
      coldBytes: random.pick([4096, 256 * 1024]),
      indexCacheBytes: 64 * 1024,
      inlineSyncMs: random.pick([0, Number.POSITIVE_INFINITY]),
      flushIntervalMs: random.pick([20, 100]),
      snapshotIntervalMs: random.pick([300, 2000, 20_000]),
      retentionIntervalMs: random.pick([200, 1000]),
      cleanRatio: random.pick([0.5, 0.9]),
      jobSteps: 1 + random.int(4),
      warn: (text, error) => void this.warnings.push(error instanceof Error ? `${text}: ${error.message}` : text),
    };
    this.holdLedger = () => {
      const hold = this.sim.broker.topicOfKind('$system', 'system', 'hold')!;
      return this.model.ledger(this.sim.broker.groupById(hold.ownGroup)!, this.model.queues.get(hold.queues[0]!)!);
    };
  }

  get nowMs(): number {
    return this.clock.nowMs();
  }

  /** The broker does not answer any more. */
  get down(): boolean {
    return this.crashed || this.sim.lost !== null;
  }

  async run(): Promise<SimulationReport> {
    try {
      await this.open();
      for (let step = 0; step < this.report.steps && !this.ended; step++) await this.step(step);
      if (!this.ended) await this.restart('close');
    } catch (error) {
      if (error instanceof SimulationFailure) throw error;
      const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
      throw new SimulationFailure(
        `seed ${this.report.seed}: ${error instanceof ModelBroken ? error.message : what}\n  ${this.trace.join('\n  ')}\n  replay: npm run sim -- --seed ${this.report.seed} --steps ${this.report.steps}`,
      );
    }
    return this.report;
  }

  note(text: string): void {
    this.trace.push(`${this.model.turn} ${this.nowMs % 1_000_000} ${text}`);
    if (this.trace.length > TRACE) this.trace.shift();
    for (let n = 0; n < text.length; n++)
      this.report.fingerprint = (Math.imul(this.report.fingerprint, 31) + text.charCodeAt(n)) | 0;
  }

  private async step(step: number): Promise<void> {
    const { random } = this;
    try {
      if (random.chance(0.02)) this.armFault();
      const verb = random.pick(VERBS);
      await verb(this);
      if (!this.down && random.chance(0.6)) this.turn();
      if (!this.down && random.chance(0.3)) this.advance(random.int(120));
    } catch (error) {
      // A verb in the middle of which the log was lost.
      const failed = (error as { code?: string }).code === 'storage-failed' && this.sim.lost !== null;
      if (!this.crashed && !failed) throw error;
    }
    if (this.crashed) return this.restart(random.chance(0.5) ? 'kill' : 'power');
    if (this.sim.lost !== null) {
      must(this.faulty, `the log was lost without a fault: ${this.sim.lost.message}`);
      this.note(`lost: ${this.sim.lost.message}`);
      return this.restart(random.chance(0.5) ? 'kill' : 'power');
    }
    if (!this.faulty) must(this.warnings.length === 0, `warned of '${this.warnings[0]}'`);
    checkEnds(this.sim.broker, this.model);
    if (step % 5 === 0) {
      this.turn();
      if (this.down || this.closing) return;
      reconcileDying(this.sim.broker, this.model, this.nowMs);
      this.checkLedgers();
      checkEnds(this.sim.broker, this.model);
    }
    if (!this.ended && random.chance(0.02)) await this.restart(random.pick(['close', 'kill', 'power'] as const));
  }

  // ---------------------------------------------------------------- time

  turn(): void {
    this.during(() => this.clock.runTurn());
  }

  advance(ms: number): void {
    this.during(() => {
      this.clock.advance(ms);
      if (this.down) return;
      reconcileDying(this.sim.broker, this.model, this.nowMs);
      this.model.expire(this.nowMs);
    });
    if (this.down) return;
    if (!this.faulty)
      this.model.durableBeforeMs(this.nowMs - this.options.flushIntervalMs! - 2 * SYNC_LATENCY_MAX_MS - 20);
  }

  private during(pass: () => void): void {
    this.model.beginTurn();
    try {
      pass();
    } catch (error) {
      if (!this.crashed) throw error;
    }
    // On a full disk settlements may wait in memory for space.
    if (!this.down && !this.full) this.model.endTurn();
    else this.model.beginTurn();
  }

  /** Waits for a state change; null when the process went down before it was answered. */
  async attempt<T>(name: string, promise: Promise<T>): Promise<T | null> {
    let settled: { value: T } | { error: unknown } | null = null;
    const turn = this.model.turn;
    promise.then(
      (value) => {
        settled = { value };
      },
      (error: unknown) => {
        settled = { error };
      },
    );
    this.pending.add(name);
    for (let n = 0; n < 4 || (settled === null && !this.down); n++) {
      if (n > TURNS_MAX) throw new ModelBroken(`${name} is never answered`);
      if (n > 4) this.advance(1);
      else this.turn();
      await Promise.resolve();
      if (settled !== null) break;
    }
    const outcome = settled as { value: T } | { error: unknown } | null;
    if (this.down || outcome === null) return null;
    this.pending.delete(name);
    if ('error' in outcome) throw outcome.error;
    this.model.durableBefore(turn);
    return outcome.value;
  }

  // ---------------------------------------------------------------- appends

  name(prefix: string): string {
    return `${prefix}${this.names++}`;
  }

  /** Calls the broker; `operation` says what the append becomes. Null when it was refused for lack of space. */
  append(
    append: Parameters<SimBroker['append']>[1] & { bodies: string[] },
    sync: boolean,
    operation: () => Operation | null,
    duplicateOf: { queue: QueueNumber; base: Offset } | null = null,
  ): boolean {
    const token = this.nextToken++;
    const { bodies, ...change } = append;
    const given = { queue: -1, base: -1 };
    const call = () => this.sim.broker.append(TESTER, this.sim.append(bodies, change), this.target, token);
    if (!this.tries(given, call)) return false;
    if (duplicateOf !== null) {
      must(given.queue === -1, 'a repetition was appended again');
      this.waiting.set(token, { operation: null, ...duplicateOf, sync });
      return true;
    }
    const made = operation();
    this.report.appends++;
    if (made?.kind !== 'append') throw new Error('an append becomes an append');
    const first = made.rows[0]!;
    must(
      given.queue === first.queue.number && given.base === first.base,
      `appended to ${given.queue}@${given.base}, it was to be ${first.queue.number}@${first.base}`,
    );
    const shown = made.held === null ? { queue: given.queue, base: given.base } : { queue: -1, base: -1 };
    this.waiting.set(token, { operation: made, ...shown, sync });
    return true;
  }

  /** All of it as one entry, or none: `operation` has the rows of all, and the settlement. */
  transact(
    appends: readonly (Parameters<SimBroker['append']>[1] & { bodies: string[] })[],
    settles: Parameters<Broker['transact']>[2],
    sync: boolean,
    operation: () => Operation,
  ): void {
    const token = this.nextToken++;
    const given = { queue: -1, base: -1 };
    const all = appends.map(({ bodies, ...change }) => this.sim.append(bodies, change));
    if (!this.tries(given, () => this.sim.broker.transact(TESTER, all, settles, this.target, token))) return;
    const made = operation();
    this.report.appends += all.length;
    if (made.kind !== 'append') throw new Error('a transaction becomes an append');
    const first = made.rows[0]!;
    must(
      made.rows.some((row) => row.queue.number === given.queue && row.base === given.base),
      `a transaction appended to ${given.queue}@${given.base}`,
    );
    this.waiting.set(token, { operation: made, queue: first.queue.number, base: first.base, sync });
  }

  /** False when it was refused for a reason that is there. */
  private tries(given: { queue: QueueNumber; base: Offset }, call: () => unknown): boolean {
    this.appending = given;
    try {
      call();
      return true;
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (code === 'storage-full') {
        must(this.full, 'refused as full though there is space');
        return false;
      }
      if (code === 'storage-failed' && this.sim.lost !== null) return false;
      throw error;
    } finally {
      this.appending = null;
    }
  }

  private appended(token: number, queue: QueueNumber, base: Offset): void {
    if (this.down) {
      must(this.crashed, 'an append was answered after the log was lost');
      return;
    }
    const waiting = this.waiting.get(token);
    must(waiting !== undefined, `append ${token} was answered twice`);
    this.waiting.delete(token);
    this.note(`answer ${token}: ${queue}@${base}`);
    must(
      waiting.queue === queue && waiting.base === base,
      `append ${token} was answered with ${queue}@${base}, it is at ${waiting.queue}@${waiting.base}`,
    );
    if (waiting.sync) {
      must(token > this.lastSyncToken, 'appends are answered out of order');
      this.lastSyncToken = token;
    }
    const { operation } = waiting;
    if (operation?.kind !== 'append') return;
    for (const row of operation.rows) {
      if (row.queue.deleted || operation.held !== null) continue;
      must(
        (this.sim.broker.queue(row.queue.number)?.endOffset ?? Infinity) >= row.base + row.count,
        `append ${token} was answered before it is visible`,
      );
    }
    if (waiting.sync) this.model.acknowledged(operation);
  }

  /** The broker took an append: one of ours, a held message whose time has come, or a dead letter. */
  private accepted(queue: QueueNumber, base: Offset, records: number, payload: Buffer): void {
    if (this.appending !== null) {
      this.appending.queue = queue;
      this.appending.base = base;
      return;
    }
    const row = this.model.queues.get(queue);
    must(row !== undefined && row.bodies.length === base, `the broker appended to ${queue}@${base}`);
    const death = this.model.topics.get('dead')?.queues[0] === row;
    const operation = death ? this.died(row, payload) : this.fired(row, payload, records);
    must(operation.kind === 'append' && operation.rows[0]!.base === base, `the broker appended to ${queue}@${base}`);
  }

  private died(dead: ModelQueue, payload: Buffer): Operation {
    const message = canonicalCodec.decode(payload, 1 << 20)[0]!;
    const header = (name: string) => message.headers.findLast((one) => one.name === name)!.value!.toString();
    const topic = this.model.topics.get(header('x-death-topic'))!;
    const offset = Number(header('x-death-offset'));
    const queue = topic.queues[0]!;
    const ledger = this.model.ledger(this.sim.broker.groupById(topic.topic.ownGroup)!, queue);
    const body = message.body!.toString();
    this.note(`dead letter of ${queue.number}@${offset}: ${header('x-death-reason')}`);
    if (ledger.unsure.delete(offset)) ledger.counts.set(offset, Number(header('x-death-attempts')));
    must(!ledger.settled.has(offset), `dead letter of ${queue.number}@${offset}, which is settled`);
    must(body === queue.bodies[offset], `the dead letter of ${queue.number}@${offset} is '${short(body)}'`);
    this.model.expire(this.nowMs);
    if (header('x-death-reason') === 'delivery-limit')
      must((ledger.counts.get(offset) ?? 0) >= topic.topic.attributes.deliveriesMax, 'died too early');
    const lease = ledger.leases.get(offset);
    this.model.markSettled(ledger, offset);
    return this.model.append([[dead, [body]]], { settles: { ledger, offset, count: 1, lease } }, this.nowMs);
  }

  private fired(queue: ModelQueue, payload: Buffer, records: number): Operation {
    const body = batchCodec.decode(payload, 1 << 20)[0]!.body!.toString();
    const held = this.model.held.find((one) => one.records[0]!.body === body);
    this.note(`held message for ${queue.number} fires: ${short(body)}`);
    must(held !== undefined && held.queue === queue, `nobody published '${short(body)}' to queue ${queue.number}`);
    must(held.state === 'waiting', `the held message '${short(body)}' fires again`);
    must(this.nowMs >= held.dueMs, `the held message '${short(body)}' fires ${held.dueMs - this.nowMs} ms early`);
    must(records === held.records.length, 'a held batch fires as a whole');
    held.state = 'fired';
    const ledger = this.holdLedger();
    for (let n = 0; n < records; n++) this.model.markSettled(ledger, held.offset + n);
    return this.model.append(
      this.model.route(held.topic, queue, held.records),
      { fires: held, settles: { ledger, offset: held.offset, count: records } },
      this.nowMs,
    );
  }

  // ---------------------------------------------------------------- faults and ends

  private armFault(): void {
    const { random } = this;
    let left = 1 + random.int(random.pick([3, 30, 200]));
    const crashes = random.chance(0.6);
    this.note(`arm ${crashes ? 'crash' : 'error'} at call ${left}`);
    this.disk.beforeCall = (call) => {
      if (!crashes && !FAILING.includes(call.op)) return;
      if (--left > 0) return;
      this.disk.beforeCall = null;
      this.note(`${crashes ? 'crash' : 'error'} at ${call.op} ${call.path}`);
      if (crashes) {
        this.crashed = true;
        this.report.crashes++;
        if (call.op === 'write') call.writtenBytes = random.int(call.bytes + 1);
        throw new SimCrash('the power is gone');
      }
      this.faulty = true;
      if (call.op === 'sync-async') this.syncFailed = true;
      throw new DiskError('io', 'injected');
    };
  }

  private newBroker(disk: SimDisk): SimBroker {
    this.disk = disk;
    this.warnings.length = 0;
    return new SimBroker(disk, this.clock, this.random, this.options);
  }

  private async open(): Promise<void> {
    this.sim = this.newBroker(this.disk);
    await this.sim.start();
    this.opened();
    const hold = this.sim.broker.topicOfKind('$system', 'system', 'hold')!;
    this.model.addTopic(hold, true);
    for (const verb of [0, 0, 1, 1]) await VERBS[verb]!(this);
    await this.attempt('dead', create(this, { kind: 'queue', name: 'dead', queues: 1 })).then((topic) =>
      this.model.addTopic(topic!, true),
    );
  }

  private opened(): void {
    this.crashed = false;
    this.faulty = false;
    this.full = false;
    this.waiting.clear();
    this.consumers.clear();
    const { broker } = this.sim;
    must(broker.epoch > this.epoch, `the epoch fell from ${this.epoch} to ${broker.epoch}`);
    this.epoch = broker.epoch;
    this.disk.latencyMs = this.options.inlineSyncMs === 0 ? () => this.random.int(SYNC_LATENCY_MAX_MS) : null;
    broker.signals.accepted = (...args) => this.accepted(...args);
  }

  async restart(how: 'close' | 'kill' | 'power'): Promise<void> {
    const { random } = this;
    this.note(`end: ${how}`);
    let power = how === 'power';
    if (how === 'close') {
      // What a consumer is still given while the broker closes is as good as not given.
      const { turn } = this.model;
      this.closing = true;
      const closed = await this.attempt(
        'close',
        this.sim.broker.close().then(() => true),
      );
      this.closing = false;
      this.pending.delete('close');
      this.model.writtenTurn = Math.min(this.model.writtenTurn, turn);
      if (closed !== null && !this.down && !this.faulty) this.model.durableBefore(turn + 1);
    }
    this.report.restarts++;
    let disk = power ? this.disk.crash(random) : this.disk.kill();
    for (let attempts = 0; ; attempts++) {
      this.clock.forget();
      disk.capacityBytes = 2 ** 40;
      this.crashed = false;
      this.faulty = false;
      this.sim = this.newBroker(disk);
      if (attempts < 3 && random.chance(0.25)) this.armCrashAtStart();
      if (await this.started()) break;
      power = true;
      this.note('again');
      disk = random.chance(0.5) ? this.disk.crash(random) : this.disk.kill();
    }
    this.disk.beforeCall = null;
    this.opened();
    this.afterRestart(power);
  }

  private armCrashAtStart(): void {
    let left = 1 + this.random.int(40);
    this.disk.beforeCall = (call) => {
      if (--left > 0) return;
      this.note(`crash at start at ${call.op} ${call.path}`);
      this.crashed = true;
      this.report.crashes++;
      if (call.op === 'write') call.writtenBytes = this.random.int(call.bytes + 1);
      throw new SimCrash('the power is gone');
    };
  }

  private async started(): Promise<boolean> {
    let opened: Broker | null = null;
    let failure: unknown = null;
    Broker.open(this.sim.options).then(
      (broker) => {
        opened = broker;
      },
      (error: unknown) => {
        failure = error;
      },
    );
    for (let n = 0; n < TURNS_MAX; n++) {
      await Promise.resolve();
      if (this.crashed) return false;
      if (failure !== null) throw failure;
      if (opened !== null) {
        this.sim.adopt(opened);
        return true;
      }
      try {
        // No time passes before somebody listens: what is due fires when it can be heard.
        this.clock.runTurn();
      } catch (error) {
        if (!this.crashed) throw error;
      }
    }
    throw new ModelBroken('the broker does not open');
  }

  private afterRestart(power: boolean): void {
    const { broker } = this.sim;
    if (this.syncFailed && power && broker.recovery.damage > 0) return this.afterLostSync();
    this.syncFailed = false;
    must(broker.recovery.damage === 0, `the start found damage: ${this.warnings[0]}`);
    must(this.warnings.length === 0, `the start warned of '${this.warnings[0]}'`);
    this.adoptNames();
    restart(this.model, asReopened(broker), power);
    this.note(`opened in epoch ${broker.epoch}`);
    // What recovery has read is made durable before the broker opens.
    for (const topic of this.model.topics.values())
      for (const queue of topic.queues) queue.durableTo = queue.bodies.length;
    this.checkAll();
  }

  /**
   * The system dropped what a sync of a segment failed to write, and a later segment was begun before its error came:
   * a hole in what nobody was told of. The run ends here: all that was acknowledged is there.
   */
  private afterLostSync(): void {
    this.note('a failed sync left a hole');
    this.ended = true;
    for (const { queues, retained } of this.model.topics.values()) {
      for (const queue of queues) {
        const found = readAll(this.sim.broker, queue.number, 0, () => this.clock.advance(1));
        for (const [offset, body] of found)
          if (offset < queue.durableTo)
            must(body === queue.bodies[offset], `queue ${queue.number} @${offset} is '${short(body)}'`);
        const own = [...this.model.ledgers.values()].find((ledger) => ledger.queue === queue);
        // Reading takes time, in which retention goes on.
        const start = retained ? (this.sim.broker.queue(queue.number)?.startOffset ?? 0) : queue.start;
        for (let offset = start; offset < queue.durableTo; offset++)
          must(found.has(offset) || own?.settled.has(offset) === true, `queue ${queue.number} @${offset} is lost`);
      }
    }
  }

  /** Changes that were not answered happened or did not. */
  private adoptNames(): void {
    const { broker } = this.sim;
    for (const [name, row] of [...this.model.topics]) {
      if (row.topic.kind === 'system') continue;
      const there = broker.topic('default', name);
      if (this.pending.has(name)) {
        if (there === null) this.model.removeTopic(name);
        else this.model.addTopic(there, row.retained);
        continue;
      }
      must(there !== null, `topic ${name} is gone`);
      must(there.queues.join() === row.topic.queues.join(), `the queues of ${name} are ${there.queues.join()}`);
      must(there.attributes.flush === row.flush, `the level of ${name} is ${there.attributes.flush}`);
      row.topic = there;
    }
    for (const topic of broker.topics(TESTER, 'default')) {
      if (this.model.topics.has(topic.name)) continue;
      must(this.pending.has(topic.name), `topic ${topic.name} is back`);
      this.model.addTopic(topic, topic.attributes.retention.mode === 'log' && topic.attributes.retention.timeMs >= 0);
    }
    const bindings = broker.bindings(TESTER, 'default');
    if (this.pending.has('binding')) {
      this.model.bindings.splice(0);
      for (const { source, destination, routingKey } of bindings)
        this.model.bindings.push({ source, destination, key: routingKey });
    }
    must(bindings.length === this.model.bindings.length, `${bindings.length} bindings are there`);
    this.pending.clear();
  }

  // ---------------------------------------------------------------- checks

  private checkLedgers(): void {
    for (const ledger of this.model.ledgers.values()) checkLedger(this.sim.broker, ledger);
  }

  checkAll(): void {
    const { broker } = this.sim;
    for (const queue of this.model.queues.values()) checkQueue(broker, this.model, queue, () => this.advance(1));
    checkEnds(broker, this.model);
    this.checkLedgers();
    checkPlaces(broker, this.model, this.groups());
  }

  groups() {
    return ['g0', 'g1'].map((name) => this.sim.group(name));
  }
}

export function simulate(seed: number, steps: number): Promise<SimulationReport> {
  return new Simulation(seed, steps).run();
}
