// A naive stand-in for the core: messages in arrays, everything committed one turn later. For transcripts of this
// adapter alone; what it lacks throws.

import { BrokerError } from '../../../core/errors.ts';
import { Signals } from '../../../core/signals.ts';
import type {
  Codec,
  CommittedOffset,
  Group,
  Member,
  Message,
  Offset,
  Principal,
  QueueNumber,
  ReadBatch,
  ReadLimits,
  ReadStatus,
  ReadUnit,
  Topic,
  TopicSpec,
  Waiter,
} from '../../../core/types.ts';
import { TAG_MIXED } from '../../../core/types.ts';
import type {
  Append,
  AppendTarget,
  CommitTarget,
  MemberSpec,
  MembershipListener,
  OffsetCommit,
  QueueState,
  Verbs,
} from '../../../core/verbs.ts';

interface FakeQueue {
  number: QueueNumber;
  topic: Topic;
  id: number;
  units: ReadUnit[];
  startOffset: Offset;
  endOffset: Offset;
  keys: { words: readonly string[]; offset: Offset }[];
}

interface FakeGroup extends Group {
  attributes: Group['attributes'];
  generation: number;
  protocol: string;
  data: Buffer | null;
  members: Map<string, Member>;
  offsets: Map<QueueNumber, CommittedOffset>;
}

export function fakeVerbs(codecs: readonly Codec[]): Verbs {
  const topics = new Map<string, Topic>();
  const queues: (FakeQueue | null)[] = [null];
  const groups = new Map<string, FakeGroup>();
  const waiters = new Map<Waiter, { queues: readonly number[]; ends: readonly number[]; timer: NodeJS.Timeout }>();
  const locks = new Map<string, { owner: string; untilMs: number }>();
  let listener: MembershipListener | null = null;
  const key = (kind: string, name: string): string => `${kind === 'queue' ? 'topic' : kind}/${name}`;
  const changed = (group: Group): unknown => setImmediate(() => listener?.membersChanged(group));

  function state(number: QueueNumber): FakeQueue {
    const queue = queues[number];
    if (queue === null || queue === undefined) throw new BrokerError('queue-not-found', `queue ${number}`);
    return queue;
  }

  function store(queue: FakeQueue, append: Append, payload: Buffer): Offset {
    const baseOffset = queue.endOffset;
    queue.units.push({
      baseOffset,
      count: append.records,
      firstRecord: 0,
      format: append.format,
      flags: append.flags,
      tagHash: append.tagHash,
      storeTimeMs: Date.now(),
      recordTimeMaxMs: append.recordTimeMaxMs,
      expiryMs: 0,
      priority: 0,
      position: baseOffset,
      payload,
    });
    queue.endOffset += append.records;
    if (append.keys !== null) queue.keys.push({ words: [...append.keys], offset: baseOffset });
    for (const [waiter, { queues: numbers, timer }] of waiters) {
      if (!numbers.includes(queue.number)) continue;
      clearTimeout(timer);
      waiters.delete(waiter);
      setImmediate(() => waiter.wake('data'));
    }
    return baseOffset;
  }

  const verbs = {
    signals: new Signals(),
    epoch: 1,
    clusterId: 'fake',
    secured: false,
    storageFull: false,
    nowMs: () => Date.now(),
    topic: (_namespace: string, name: string) => topics.get(key('topic', name)) ?? null,
    topicOfKind: (_namespace: string, kind: string, name: string) => topics.get(key(kind, name)) ?? null,
    topics: () => [...topics.values()],
    async createTopic(_principal: Principal, spec: TopicSpec): Promise<Topic> {
      await Promise.resolve();
      if (topics.has(key(spec.kind, spec.name))) throw new BrokerError('topic-exists', spec.name);
      const topic = { ...spec, id: topics.size + 1, queues: [] as number[], uuid: '', ownGroup: 0 } as unknown as Topic;
      for (let id = 0; id < spec.queues; id++) {
        const number = queues.length;
        queues.push({ number, topic, id, units: [], startOffset: 0, endOffset: 0, keys: [] });
        (topic.queues as number[]).push(number);
      }
      topics.set(key(spec.kind, spec.name), topic);
      return topic;
    },
    async deleteTopic(_principal: Principal, topic: Topic): Promise<void> {
      topics.delete(key(topic.kind, topic.name));
      for (const queue of topic.queues) queues[queue] = null;
    },
    queue(number: QueueNumber): QueueState | null {
      const queue = queues[number];
      return queue ? { ...queue, stableOffset: queue.endOffset } : null;
    },
    append(_principal: Principal, append: Append, target: AppendTarget, token: number): number {
      const topic = append.topic!;
      const queue = state(topic.queues[append.queue < 0 ? 0 : append.queue]!);
      const payload = Buffer.from(append.payload);
      const copy = { ...append };
      if (append.notBeforeMs > Date.now()) {
        setTimeout(() => store(queue, copy, payload), append.notBeforeMs - Date.now());
        setImmediate(() => target.appended(token, -1, -1, Date.now()));
      } else setImmediate(() => target.appended(token, queue.number, store(queue, copy, payload), Date.now()));
      return 1;
    },
    read(_p: Principal, number: QueueNumber, offset: Offset, limits: ReadLimits, into: ReadBatch): ReadStatus {
      const queue = state(number);
      into.units.length = 0;
      into.bytes = 0;
      into.startOffset = queue.startOffset;
      into.endOffset = queue.endOffset;
      into.nextOffset = offset;
      if (offset < queue.startOffset) return 'too-small';
      if (offset >= queue.endOffset) return offset === queue.endOffset ? 'empty' : 'too-large';
      let records = 0;
      for (const unit of queue.units) {
        if (unit.baseOffset + unit.count <= offset) continue;
        if (into.units.length > 0 && records + unit.count > limits.recordsMax) break;
        into.nextOffset = unit.baseOffset + unit.count;
        const passes = limits.tagHashes === null || unit.tagHash === TAG_MIXED || limits.tagHashes.has(unit.tagHash);
        if (!passes) continue;
        into.units.push({ ...unit });
        records += unit.count;
      }
      return into.units.length > 0 ? 'found' : 'filtered';
    },
    wait(waiter: Waiter, numbers: readonly number[], ends: readonly number[], deadlineMs: number): void {
      const timer = setTimeout(() => waiters.delete(waiter) && waiter.wake('timeout'), deadlineMs - Date.now());
      waiters.set(waiter, { queues: [...numbers], ends: [...ends], timer });
    },
    cancelWait(waiter: Waiter): void {
      clearTimeout(waiters.get(waiter)?.timer);
      waiters.delete(waiter);
    },
    messages(unit: ReadUnit): readonly Message[] {
      return codecs.find((codec) => codec.format === unit.format)!.decode(unit.payload, 1 << 26);
    },
    async offsetByStoreTime(number: QueueNumber, timeMs: number) {
      const unit = state(number).units.find((each) => each.storeTimeMs >= timeMs);
      return unit === undefined ? null : { offset: unit.baseOffset, timeMs: unit.storeTimeMs };
    },
    async findByKey(_p: Principal, topic: Topic, word: string, limit: number) {
      const found = topic.queues.flatMap((queue) =>
        state(queue)
          .keys.filter(({ words }) => words.includes(word))
          .map(({ offset }) => ({ queue, offset })),
      );
      return found.slice(0, limit);
    },
    group: (_namespace: string, name: string) => groups.get(name) ?? null,
    groupById: (id: number) => [...groups.values()].find((group) => group.id === id) ?? null,
    groups: () => [...groups.values()],
    ensureGroup(_principal: Principal, namespace: string, name: string): Group {
      const known = groups.get(name);
      if (known !== undefined) return known;
      const group: FakeGroup = {
        id: groups.size + 1,
        namespace,
        name,
        attributes: { deliveriesMax: -1, extra: {} },
        generation: 0,
        protocol: '',
        data: null,
        members: new Map(),
        offsets: new Map(),
      };
      groups.set(name, group);
      return group;
    },
    async alterGroup(_principal: Principal, group: FakeGroup, attributes: object): Promise<Group> {
      group.attributes = { ...group.attributes, ...attributes };
      return group;
    },
    async deleteGroup(_principal: Principal, group: Group): Promise<void> {
      groups.delete(group.name);
    },
    commitOffsets(
      _p: Principal,
      group: FakeGroup,
      commits: readonly OffsetCommit[],
      target: CommitTarget | null,
      token: number,
    ) {
      for (const { queue, offset } of commits) {
        group.offsets.set(queue, { offset, metadata: '', epoch: -1, committedAtMs: Date.now() });
      }
      if (target !== null) setImmediate(() => target.committed(token));
    },
    committed: (group: FakeGroup, queue: QueueNumber) => group.offsets.get(queue) ?? null,
    committedQueues: (group: FakeGroup) => [...group.offsets.keys()],
    onMembership(_protocol: string, wanted: MembershipListener): void {
      listener = wanted;
    },
    putMember(_p: Principal, protocol: string, group: FakeGroup, spec: MemberSpec): Member {
      if (group.protocol !== '' && group.protocol !== protocol) throw new BrokerError('group-in-use', group.protocol);
      group.protocol = protocol;
      const member: Member = { ...spec, group: group.id, deadlineMs: Date.now() + spec.timeoutMs };
      group.members.set(spec.id, member);
      changed(group);
      return member;
    },
    touchMember: (group: FakeGroup, id: string) => group.members.has(id),
    removeMember(group: FakeGroup, id: string): boolean {
      const isGone = group.members.delete(id);
      if (group.members.size === 0) group.protocol = '';
      if (isGone) changed(group);
      return isGone;
    },
    members: (group: FakeGroup) => [...group.members.values()],
    lockQueue(group: Group, queue: QueueNumber, owner: string, leaseMs: number): boolean {
      const lock = locks.get(`${group.id}/${queue}`);
      if (lock !== undefined && lock.owner !== owner && lock.untilMs > Date.now()) return false;
      locks.set(`${group.id}/${queue}`, { owner, untilMs: Date.now() + leaseMs });
      return true;
    },
    unlockQueue(group: Group, queue: QueueNumber, owner: string): void {
      if (locks.get(`${group.id}/${queue}`)?.owner === owner) locks.delete(`${group.id}/${queue}`);
    },
  };
  return verbs as unknown as Verbs;
}
