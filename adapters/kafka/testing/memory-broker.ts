// The verbs in memory, as far as this adapter uses them: for tests until the real broker can be had in a test.
import { BrokerError } from '../../../core/errors.ts';
import { canonicalCodec } from '../../../core/log/record.ts';
import { Signals } from '../../../core/signals.ts';
import type { GroupState } from '../../../core/state/catalog.ts';
import { Membership } from '../../../core/state/membership.ts';
import type {
  Clock,
  Codec,
  CommittedOffset,
  Group,
  Message,
  ReadUnit,
  Topic,
  TopicSpec,
  Waiter,
} from '../../../core/types.ts';
import type {
  Append,
  AppendTarget,
  CommitTarget,
  MembershipListener,
  OffsetCommit,
  Verbs,
} from '../../../core/verbs.ts';
import { codec as kafkaCodec } from '../codec/codec.ts';

interface Queue {
  number: number;
  topic: Topic;
  id: number;
  units: ReadUnit[];
  startOffset: number;
  endOffset: number;
  stableOffset: number;
  next: number;
}

export class TestClock implements Clock {
  #timers = new Map<number, NodeJS.Timeout>();
  #next = 1;
  nowMs(): number {
    return Date.now();
  }
  setTimer(delayMs: number, callback: (argument: unknown) => void, argument?: unknown): number {
    const handle = this.#next++;
    this.#timers.set(
      handle,
      setTimeout(() => {
        this.#timers.delete(handle);
        callback(argument);
      }, delayMs).unref(),
    );
    return handle;
  }
  clearTimer(handle: number): void {
    clearTimeout(this.#timers.get(handle));
    this.#timers.delete(handle);
  }
  afterTurn(callback: () => void): void {
    setImmediate(callback);
  }
}

export function memoryBroker(clock: Clock, codecs: readonly Codec[] = [kafkaCodec, canonicalCodec]): Verbs {
  const topics = new Map<string, Topic>();
  const queues: Queue[] = [];
  const groups = new Map<string, GroupState>();
  const committed = new Map<string, CommittedOffset>();
  const membership = new Membership(clock);
  const waits = new Map<Waiter, { queues: readonly number[]; ends: readonly number[]; timer: number }>();
  const sequences = new Map<string, { epoch: number; batches: { first: number; count: number; offset: number }[] }>();
  let producers = 1000;
  let ids = 1;

  const wakeAll = (): void => {
    for (const [waiter, { queues: numbers, ends, timer }] of waits) {
      if (!numbers.some((number, i) => queues[number]!.endOffset > ends[i]!)) continue;
      waits.delete(waiter);
      clock.clearTimer(timer);
      waiter.wake('data');
    }
  };

  const verbs: Partial<Verbs> = {
    signals: new Signals(),
    epoch: 3,
    clusterId: 'memory-cluster-0000000',
    secured: false,
    storageFull: false,
    nowMs: () => clock.nowMs(),
    topic: (_ns, name) => topics.get(name) ?? null,
    topicByUuid: (uuid) => [...topics.values()].find((topic) => topic.uuid === uuid) ?? null,
    topics: () => [...topics.values()],
    async createTopic(_p, spec: TopicSpec): Promise<Topic> {
      if (topics.has(spec.name)) throw new BrokerError('topic-exists', `${spec.name} exists`);
      const first = queues.length;
      const topic: Topic = {
        id: ids++,
        namespace: spec.namespace,
        kind: spec.kind,
        name: spec.name,
        uuid: (0x1000 + ids).toString(16).padStart(32, '0'),
        queues: Array.from({ length: spec.queues }, (_, i) => first + i),
        layout: { id: 1, ordered: true, parents: [] },
        attributes: {
          flush: 'sync',
          retention: { mode: 'log', timeMs: 1, bytes: -1 },
          messageBytesMax: 4 << 20,
          deadLetter: null,
          messageTtlMs: -1,
          deliveriesMax: -1,
          ...spec.attributes,
          extra: { ...spec.attributes?.extra },
        },
        ownGroup: 0,
      };
      topics.set(spec.name, topic);
      topic.queues.forEach((number, id) => {
        queues.push({ number, topic, id, units: [], startOffset: 0, endOffset: 0, stableOffset: 0, next: 0 });
      });
      return topic;
    },
    async alterTopic(_p, topic, change): Promise<Topic> {
      const numbers = [...topic.queues];
      while (numbers.length < (change.queues ?? 0)) {
        const number = queues.length;
        queues.push({
          number,
          topic,
          id: numbers.length,
          units: [],
          startOffset: 0,
          endOffset: 0,
          stableOffset: 0,
          next: 0,
        });
        numbers.push(number);
      }
      const grown = { ...topic, queues: numbers };
      topics.set(topic.name, grown);
      return grown;
    },
    async deleteTopic(_p, topic): Promise<void> {
      topics.delete(topic.name);
    },
    queue: (number) => queues[number] ?? null,
    async moveStart(_p, number, offset): Promise<number> {
      queues[number]!.startOffset = offset;
      return offset;
    },
    append(_p, append: Append, target: AppendTarget, token: number): number {
      const queue = queues[append.topic!.queues[append.queue]!]!;
      const key = `${append.producerId}/${queue.number}`;
      if (append.producerId >= 0) {
        const known = sequences.get(key) ?? { epoch: append.producerEpoch, batches: [] };
        if (append.producerEpoch < known.epoch) throw new BrokerError('producer-fenced', 'old epoch');
        const same = known.batches.find((b) => b.first === append.baseSequence && b.count === append.records);
        if (same !== undefined) {
          setImmediate(() => target.appended(token, queue.number, same.offset, clock.nowMs()));
          return 1;
        }
        const last = known.batches.at(-1);
        if (last !== undefined && last.first + last.count !== append.baseSequence) {
          throw new BrokerError('sequence-out-of-order', `expected ${last.first + last.count}`);
        }
        known.batches.push({ first: append.baseSequence, count: append.records, offset: queue.next });
        sequences.set(key, known);
      }
      const baseOffset = queue.next;
      queue.next += append.records;
      const payload = Buffer.from(append.payload);
      codecs.find(({ format }) => format === append.format)?.stamp?.(payload, baseOffset, 3);
      const now = clock.nowMs();
      queue.units.push({
        baseOffset,
        count: append.records,
        firstRecord: 0,
        format: append.format,
        flags: append.flags,
        tagHash: append.tagHash,
        storeTimeMs: now,
        recordTimeMaxMs: append.recordTimeMaxMs,
        expiryMs: 0,
        priority: 0,
        position: ids++,
        payload,
      });
      setImmediate(() => {
        queue.endOffset = baseOffset + append.records;
        queue.stableOffset = queue.endOffset;
        target.appended(token, queue.number, baseOffset, now);
        wakeAll();
      });
      return 1;
    },
    async newProducer() {
      return { producerId: producers++, producerEpoch: 0 };
    },
    read(_p, number, offset, limits, into) {
      const queue = queues[number]!;
      into.units.length = 0;
      into.bytes = 0;
      into.nextOffset = offset;
      into.startOffset = queue.startOffset;
      into.endOffset = queue.endOffset;
      if (offset >= queue.endOffset) return offset === queue.endOffset ? 'empty' : 'too-large';
      for (const unit of queue.units) {
        if (unit.baseOffset + unit.count <= offset || unit.baseOffset >= queue.endOffset) continue;
        if (into.units.length > 0 && into.bytes + unit.payload.length > limits.bytesMax) break;
        into.units.push({ ...unit });
        into.bytes += unit.payload.length;
        into.nextOffset = unit.baseOffset + unit.count;
      }
      return 'found';
    },
    wait(waiter, numbers, ends, deadlineMs) {
      const timer = clock.setTimer(Math.max(0, deadlineMs - clock.nowMs()), () => {
        if (waits.delete(waiter)) waiter.wake('timeout');
      });
      waits.set(waiter, { queues: numbers, ends, timer });
      setImmediate(wakeAll);
    },
    cancelWait(waiter) {
      const wait = waits.get(waiter);
      if (wait !== undefined) clock.clearTimer(wait.timer);
      waits.delete(waiter);
    },
    messages: (unit): readonly Message[] =>
      codecs.find(({ format }) => format === unit.format)!.decode(unit.payload, 1 << 27),
    async offsetByRecordTime(number, timeMs) {
      const queue = queues[number]!;
      for (const unit of queue.units) {
        const messages = verbs.messages!(unit);
        const i = messages.findIndex((message) => message.timestampMs >= timeMs);
        if (i >= 0) return { offset: unit.baseOffset + i, timeMs: messages[i]!.timestampMs };
      }
      return null;
    },
    async offsetOfMaxRecordTime(number) {
      let best: { offset: number; timeMs: number } | null = null;
      for (const unit of queues[number]!.units) {
        verbs.messages!(unit).forEach(({ timestampMs }, i) => {
          if (best === null || timestampMs > best.timeMs) best = { offset: unit.baseOffset + i, timeMs: timestampMs };
        });
      }
      return best;
    },
    group: (_ns, name) => groups.get(name) ?? null,
    groups: () => [...groups.values()],
    ensureGroup(_p, namespace, name): Group {
      const known = groups.get(name);
      if (known !== undefined) return known;
      const group: GroupState = {
        id: ids++,
        namespace,
        name,
        attributes: { deliveriesMax: -1, extra: {} },
        generation: 0,
        protocol: '',
        data: null,
      };
      groups.set(name, group);
      return group;
    },
    async deleteGroup(_p, group): Promise<void> {
      groups.delete(group.name);
      for (const key of [...committed.keys()]) if (key.startsWith(`${group.id}/`)) committed.delete(key);
    },
    commitOffsets(_p, group, offsets: readonly OffsetCommit[], target: CommitTarget | null, token) {
      for (const { queue, offset, metadata, epoch } of offsets) {
        committed.set(`${group.id}/${queue}`, { offset, metadata, epoch, committedAtMs: clock.nowMs() });
      }
      if (target !== null) setImmediate(() => target.committed(token));
    },
    committed: (group, queue) => committed.get(`${group.id}/${queue}`) ?? null,
    committedQueues: (group) =>
      [...committed.keys()].filter((key) => key.startsWith(`${group.id}/`)).map((key) => Number(key.split('/')[1])),
    async deleteOffsets(_p, group, numbers): Promise<void> {
      for (const number of numbers) committed.delete(`${group.id}/${number}`);
    },
    onMembership: (protocol, listener: MembershipListener) => membership.listen(protocol, listener),
    putMember: (_p, protocol, group, member) => membership.put(protocol, group as GroupState, member),
    touchMember: (group, id) => membership.touch(group, id),
    removeMember: (group, id) => membership.remove(group, id),
    members: (group) => membership.members(group),
    putGeneration(_p, group, generation, data, target, token) {
      (group as GroupState).generation = generation;
      (group as GroupState).data = data;
      if (target !== null) setImmediate(() => target.committed(token));
    },
    setGroupDue: (group, atMs) => membership.setDue(group as GroupState, atMs),
    authorise: () => {},
  };
  return verbs as Verbs;
}
