// A broker for tests of the gateway alone: a few verbs over plain maps, no log. What it does not have, throws.
import { BrokerError } from '../../core/errors.ts';
import { Signals } from '../../core/signals.ts';
import type { AccessRule, CommittedOffset, Group, Member, Principal, Topic, TopicSpec } from '../../core/types.ts';
import type { QueueState } from '../../core/verbs.ts';
import type { RunningBroker } from '../serving.ts';

export class StubBroker {
  readonly signals = new Signals();
  readonly epoch = 1;
  readonly topicsByName = new Map<string, Topic>();
  readonly queues = new Map<number, QueueState>();
  readonly groupsByName = new Map<string, Group>();
  readonly commits = new Map<string, CommittedOffset>();
  readonly memberList: Member[] = [];
  readonly passwords = new Map<string, string>();
  readonly ruleList: AccessRule[] = [];
  storageFull = false;
  /** What every ledger says. */
  ready = 8;
  inFlight = 0;
  checks = 0;
  closed = 0;

  /** The same object, as the gateway takes it. */
  get verbs(): RunningBroker {
    return this as unknown as RunningBroker;
  }

  get secured(): boolean {
    return this.passwords.size > 0;
  }

  namespaces(): string[] {
    return ['default'];
  }

  topic(_namespace: string, name: string): Topic | null {
    return this.topicsByName.get(name) ?? null;
  }

  topicOfKind(_namespace: string, kind: string, name: string): Topic | null {
    const topic = this.topic('', name);
    return topic?.kind === kind ? topic : null;
  }

  topics(): Topic[] {
    return [...this.topicsByName.values()];
  }

  async createTopic(principal: Principal, spec: TopicSpec): Promise<Topic> {
    if (this.topicsByName.has(spec.name))
      throw new BrokerError('topic-exists', `there is a topic ${spec.name} already`);
    this.authorise(principal);
    const first = this.queues.size;
    const topic: Topic = {
      id: this.topicsByName.size + 1,
      namespace: spec.namespace,
      kind: spec.kind,
      name: spec.name,
      uuid: '00112233445566778899aabbccddeeff',
      queues: Array.from({ length: spec.queues }, (_, i) => first + i),
      layout: { id: 1, ordered: true, parents: [] },
      attributes: {
        flush: 'sync',
        retention: spec.kind === 'queue' ? { mode: 'consumed' } : { mode: 'log', timeMs: 259_200_000, bytes: -1 },
        messageBytesMax: 4_194_304,
        deadLetter: null,
        messageTtlMs: -1,
        deliveriesMax: -1,
        extra: {},
        ...spec.attributes,
      },
      ownGroup: 0,
    };
    this.topicsByName.set(spec.name, topic);
    topic.queues.forEach((number, id) => {
      this.queues.set(number, { number, topic, id, startOffset: 2, endOffset: 10, stableOffset: 9 });
    });
    return topic;
  }

  async deleteTopic(_principal: Principal, topic: Topic): Promise<void> {
    this.topicsByName.delete(topic.name);
  }

  queue(number: number): QueueState | null {
    return this.queues.get(number) ?? null;
  }

  addGroup(name: string, committed: Readonly<Record<number, number>>): void {
    this.groupsByName.set(name, {
      id: this.groupsByName.size + 1,
      namespace: 'default',
      name,
      attributes: { deliveriesMax: 16, extra: {} },
      generation: 3,
      protocol: 'tester',
      data: null,
    });
    for (const [queue, offset] of Object.entries(committed)) {
      this.commits.set(`${name}/${queue}`, { offset, metadata: '', epoch: -1, committedAtMs: 1_700_000_000_000 });
    }
  }

  group(_namespace: string, name: string): Group | null {
    return this.groupsByName.get(name) ?? null;
  }

  groups(): Group[] {
    return [...this.groupsByName.values()];
  }

  committed(group: Group, queue: number): CommittedOffset | null {
    return this.commits.get(`${group.name}/${queue}`) ?? null;
  }

  committedQueues(group: Group): number[] {
    return [...this.queues.keys()].filter((queue) => this.committed(group, queue) !== null);
  }

  members(): Member[] {
    return this.memberList;
  }

  ledger(): { floor: number; ready: number; inFlight: number } {
    return { floor: 2, ready: this.ready, inFlight: this.inFlight };
  }

  groupById(id: number): Group | null {
    return [...this.groupsByName.values()].find((group) => group.id === id) ?? null;
  }

  consumers(): number {
    return 0;
  }

  users(): { name: string }[] {
    return [...this.passwords.keys()].map((name) => ({ name }));
  }

  async putUser(_principal: Principal, name: string, password: string): Promise<void> {
    this.passwords.set(name, password);
  }

  async deleteUser(_principal: Principal, name: string): Promise<void> {
    this.passwords.delete(name);
  }

  async authenticate(name: string, password: string, host: string): Promise<Principal | null> {
    this.checks++;
    return this.passwords.get(name) === password ? { name, host } : null;
  }

  async putRule(_principal: Principal, rule: AccessRule): Promise<void> {
    this.ruleList.push(rule);
  }

  async deleteRule(_principal: Principal, id: string): Promise<void> {
    this.ruleList.splice(0, Number.POSITIVE_INFINITY, ...this.ruleList.filter((rule) => rule.id !== id));
  }

  rules(): AccessRule[] {
    return this.ruleList;
  }

  authorise(principal: Principal): void {
    if (!this.secured || this.ruleList.some((rule) => rule.user === principal.name)) return;
    throw new BrokerError('access-denied', `${principal.name} may not do this`);
  }

  async close(): Promise<void> {
    this.closed++;
  }
}
