// What administrators change and ask: topics, groups, the name server's table, running clients.

import { afterEach, describe, expect, it } from 'vitest';
import { RESPONSE } from '../../specs/rocketmq/response-codes.ts';
import { parseBody } from './json-body.ts';
import type { Harness, HarnessOptions, Response } from './testing/harness.ts';
import { harness, jsonFrame, RawClient } from './testing/harness.ts';
import { heartbeat, pullFields, sendFields, units } from './testing/requests.ts';

const clients: RawClient[] = [];
let current: Harness | undefined;
afterEach(async () => {
  for (const client of clients.splice(0)) client.stream.destroy();
  expect(current?.defects ?? []).toEqual([]);
  await current?.close();
  current = undefined;
});

async function begin(options: HarnessOptions = {}): Promise<RawClient> {
  current = await harness(options);
  return another();
}

function another(): RawClient {
  const client = new RawClient(current!.adapter);
  clients.push(client);
  return client;
}

const json = (response: Response): Record<string, unknown> =>
  parseBody(response.body, 0, response.body.length) as Record<string, unknown>;
const topicFields = (topic: string, read: number, write: number, more: Record<string, unknown> = {}): object => ({
  topic,
  defaultTopic: 'TBW102',
  readQueueNums: String(read),
  writeQueueNums: String(write),
  perm: '6',
  topicFilterType: 'SINGLE_TAG',
  order: 'false',
  ...more,
});
const make = (client: RawClient, ...given: Parameters<typeof topicFields>): Promise<Response> =>
  client.request(17, topicFields(...given) as Record<string, unknown>);

describe('a topic', () => {
  it('grows and shrinks as clients of the protocol know it, and keeps what lies in hidden queues', async () => {
    const raw = await begin();
    await make(raw, 'T', 2, 2);
    await raw.request(310, sendFields('T', '', { e: '1' }), 'in the second queue');
    const queues = async (): Promise<unknown> => {
      const [data] = json(await raw.request(105, { topic: 'T' }))['queueDatas'] as Record<string, number>[];
      return [data!['readQueueNums'], data!['writeQueueNums'], data!['perm']];
    };
    await make(raw, 'T', 2, 1);
    expect(await queues()).toEqual([2, 1, 6]);
    // An older route still names the queue that is only read.
    expect((await raw.request(310, sendFields('T', '', { e: '1' }), 'x')).code).toBe(0);
    expect((await raw.request(310, sendFields('T', '', { e: '-1' }), 'x')).ext['queueId']).toBe('0');
    await make(raw, 'T', 1, 1);
    expect((await raw.request(310, sendFields('T', '', { e: '1' }), 'x')).code).toBe(29);
    expect((await raw.request(11, pullFields('T', 0, { queueId: '1' }))).code).toBe(29);
    await make(raw, 'T', 4, 4);
    expect(await queues()).toEqual([4, 4, 6]);
    const pull = await raw.request(11, pullFields('T', 0, { queueId: '1' }));
    expect(units(pull.body).map(({ body }) => body)).toEqual(['in the second queue', 'x']);
    // Queues that come from elsewhere count for both.
    await make(raw, 'T', 4, 2);
    const topic = current!.broker.topic('default', 'T')!;
    await current!.broker.alterTopic({ name: 'x', host: '' }, topic, { queues: 6 });
    expect(await queues()).toEqual([6, 4, 6]);
  });

  it('refuses sends and pulls by its permission, and shows its configuration', async () => {
    const raw = await begin();
    await make(raw, 'T', 1, 1, { perm: '4', order: 'true', attributes: '+message.type=FIFO' });
    expect(await raw.request(310, sendFields('T'), 'x')).toMatchObject({
      code: 16,
      remark: 'the topic[T] sending message is forbidden',
    });
    expect((await raw.request(11, pullFields('T', 0, { sysFlag: '4' }))).code).toBe(19);
    expect(json(await raw.request(351, { topic: 'T' }))).toEqual({
      attributes: { 'message.type': 'FIFO' },
      order: true,
      perm: 4,
      readQueueNums: 1,
      topicFilterType: 'SINGLE_TAG',
      topicName: 'T',
      topicSysFlag: 0,
      writeQueueNums: 1,
    });
    await make(raw, 'T', 1, 1, { perm: '2', attributes: '-message.type' });
    expect(await raw.request(11, pullFields('T', 0))).toMatchObject({ code: 16, ext: { forbiddenType: '4' } });
    expect((await raw.request(310, sendFields('T'), 'x')).code).toBe(0);
    const all = json(await raw.request(21, {}))['topicConfigTable'] as Record<string, { perm: number }>;
    expect(all['T']).toMatchObject({ perm: 2, attributes: {} });
  });

  it.each([
    ['no queues', { readQueueNums: '0' }],
    ['an impossible permission', { perm: '64' }],
    ['batch queues', { attributes: '+queue.type=BatchCQ' }],
    ['compaction', { attributes: '+cleanup.policy=COMPACTION' }],
    ['an unknown attribute', { attributes: '+what=ever' }],
    ['no change at all', { attributes: 'what' }],
    ['a system name', { topic: 'RMQ_SYS_TRACE_TOPIC' }],
  ])('is not made with %s', async (_what, more) => {
    const raw = await begin();
    expect((await make(raw, 'T', 1, 1, more)).code).toBe(29);
    expect((await raw.request(105, { topic: 'T' })).code).toBe(17);
  });

  it('is made in lists, all or none', async () => {
    const raw = await begin();
    const body = (...names: string[]): string =>
      JSON.stringify({
        topicConfigList: names.map((topicName) => ({ topicName, readQueueNums: 3, writeQueueNums: 3 })),
      });
    expect((await raw.request(18, {}, body('A', 'not a name'))).code).toBe(29);
    expect((await raw.request(105, { topic: 'A' })).code).toBe(17);
    expect((await raw.request(18, {}, body('A', 'B'))).code).toBe(0);
    expect(json(await raw.request(105, { topic: 'B' }))['queueDatas']).toMatchObject([{ readQueueNums: 3 }]);
  });

  it('for traces is there when a client asks for it, and may be sent to', async () => {
    const raw = await begin({ settings: { autoCreateTopics: false } });
    expect(json(await raw.request(105, { topic: 'RMQ_SYS_TRACE_TOPIC' }))['queueDatas']).toMatchObject([{ perm: 6 }]);
    const sent = await raw.request(310, sendFields('RMQ_SYS_TRACE_TOPIC', 'KEYS\u0001id1 k\u0002'), 'trace');
    expect(sent).toMatchObject({ code: 0, ext: { MSG_REGION: 'DefaultRegion', TRACE_ON: 'true' } });
    const found = await raw.request(12, {
      topic: 'RMQ_SYS_TRACE_TOPIC',
      key: 'id1',
      maxNum: '64',
      beginTimestamp: '0',
      endTimestamp: '9223372036854775807',
    });
    expect(units(found.body).map(({ body }) => body)).toEqual(['trace']);
    expect((await raw.request(310, sendFields('SCHEDULE_TOPIC_XXXX'), 'x')).code).toBe(16);
  });

  it('loses the write bit in routes while the broker is wiped', async () => {
    const raw = await begin();
    await make(raw, 'T', 1, 1);
    const perm = async (): Promise<unknown> =>
      (json(await raw.request(105, { topic: 'T' }))['queueDatas'] as Record<string, number>[])[0]!['perm'];
    expect((await raw.request(205, { brokerName: 'else' })).ext).toEqual({ wipeTopicCount: '0' });
    expect((await raw.request(205, { brokerName: 'rosettamq' })).ext).toEqual({ wipeTopicCount: '1' });
    expect(await perm()).toBe(4);
    expect((await raw.request(327, { brokerName: 'rosettamq' })).ext).toEqual({ addTopicCount: '1' });
    expect(await perm()).toBe(6);
  });
});

describe('a group', () => {
  it('has a route to its retry topic before its first member is there, and nothing is made by asking', async () => {
    const raw = await begin();
    const route = json(await raw.request(105, { topic: '%RETRY%New' }));
    expect(route['queueDatas']).toMatchObject([{ perm: 6, readQueueNums: 1, writeQueueNums: 1 }]);
    expect(current!.broker.topicOfKind('default', 'retry', 'New')).toBeNull();
    expect((await raw.request(105, { topic: '%DLQ%New' })).code).toBe(17);
    expect((await raw.request(105, { topic: '%RETRY%' })).code).toBe(17);
  });

  it('keeps its settings and obeys them', async () => {
    const raw = await begin();
    await raw.request(310, sendFields('T'), 'x');
    const set = (more: object): Promise<Response> =>
      raw.request(200, {}, JSON.stringify({ groupName: 'CG', consumeEnable: true, ...more }));
    expect((await set({ retryMaxTimes: 3, retryQueueNums: 2, consumeBroadcastEnable: false })).code).toBe(0);
    expect(json(await raw.request(352, { group: 'CG' }))).toMatchObject({
      groupName: 'CG',
      retryMaxTimes: 3,
      retryQueueNums: 2,
      consumeBroadcastEnable: false,
      consumeTimeoutMinute: 15,
    });
    await raw.request(34, {}, heartbeat('c1', 'CG', 'T').replace('CLUSTERING', 'BROADCASTING'));
    const pull = (): Promise<Response> => raw.request(11, pullFields('T', 0, { sysFlag: '0' }));
    expect(await pull()).toMatchObject({ code: 16, ext: { forbiddenType: '2' } });
    await set({ consumeEnable: false });
    expect(await pull()).toMatchObject({ code: 16, ext: { forbiddenType: '1' } });
    await set({ consumeBroadcastEnable: true });
    expect((await pull()).code).toBe(0);
    expect(json(await raw.request(353, { group: 'CG', topic: 'T', readable: 'false' }))).toEqual({
      group: 'CG',
      readable: false,
      topic: 'T',
    });
    expect(await pull()).toMatchObject({ code: 16, ext: { forbiddenType: '3' } });
    expect(json(await raw.request(201, {}))).toMatchObject({ forbiddenTable: { CG: { T: 1 } } });
    await raw.request(353, { group: 'CG', topic: 'T', readable: 'true' });
    expect((await pull()).code).toBe(0);
    expect((await raw.request(105, { topic: '%RETRY%CG' })).body.toString()).toContain('"readQueueNums":2');
    expect((await raw.request(352, { group: 'Nope' })).code).toBe(RESPONSE.SUBSCRIPTION_GROUP_NOT_EXIST);
  });

  it('without retry queues retries nothing, and its members are told of changes only if it wants them to be', async () => {
    const raw = await begin();
    await raw.request(310, sendFields('T'), 'x');
    const none = { groupName: 'CG', retryQueueNums: 0, notifyConsumerIdsChangedEnable: false };
    expect((await raw.request(200, {}, JSON.stringify(none))).code).toBe(0);
    expect((await raw.request(34, {}, heartbeat('c1', 'CG', 'T'))).code).toBe(0);
    expect((await raw.request(36, { offset: '0', group: 'CG', delayLevel: '0' })).code).toBe(0);
    expect(current!.broker.topicOfKind('default', 'retry', 'CG')).toBeNull();
    raw.unasked.length = 0;
    await raw.request(34, {}, heartbeat('c2', 'CG', 'T'));
    await raw.request(34, {}, heartbeat('c1', 'Other', 'T'));
    await raw.request(34, {}, heartbeat('c2', 'Other', 'T'));
    await expect.poll(() => raw.unasked.map(({ ext }) => ext['consumerGroup'])).toContain('Other');
    expect(raw.unasked.map(({ ext }) => ext['consumerGroup'])).not.toContain('CG');
  });

  it('that is not there is refused where groups are not made automatically', async () => {
    const raw = await begin({ settings: { autoCreateGroups: false } });
    await raw.request(310, sendFields('T'), 'x');
    expect((await raw.request(11, pullFields('T', 0))).code).toBe(26);
    expect((await raw.request(34, {}, heartbeat('c1', 'CG', 'T'))).code).toBe(26);
    await raw.request(225, {}, JSON.stringify({ groupConfigList: [{ groupName: 'CG' }] }));
    expect((await raw.request(11, pullFields('T', 0))).code).toBe(0);
  });

  it('is reported when its members subscribe to different things', async () => {
    const raw = await begin();
    const other = another();
    const count = (): number => current!.adapter.counts['inconsistentSubscriptions']!;
    await raw.request(34, {}, heartbeat('c1', 'CG', 'T', 'A', 1));
    await other.request(34, {}, heartbeat('c2', 'CG', 'T', 'A', 2));
    expect(count()).toBe(0);
    await other.request(34, {}, heartbeat('c2', 'CG', 'T', 'B', 3));
    expect(count()).toBe(1);
    await other.request(34, {}, heartbeat('c2', 'CG', 'T', 'B', 3));
    expect(count()).toBe(1);
    expect(current!.warnings).toMatchObject([{ group: 'CG', clientId: 'c2', otherClientId: 'c1' }]);
    await other.request(34, {}, heartbeat('c2', 'CG', 'U', 'B', 4));
    expect(current!.warnings[1]).toMatchObject({ difference: 'c2 subscribes to U, c1 does not' });
    // Both topics stay readable, each by its own newest subscription.
    expect(json(await raw.request(343, { group: 'CG' }))['topicList']).toEqual(['T', 'U']);
    expect(json(await raw.request(345, { group: 'CG', topic: 'T' }))).toMatchObject({
      subscriptionData: { subString: 'A', subVersion: 1 },
    });
  });

  it('asks a client whose pulls name a newer subscription than its heartbeat, once per version', async () => {
    const raw = await begin();
    await raw.request(310, sendFields('T', 'TAGS\u0001A\u0002'), 'a');
    await raw.request(310, sendFields('T', 'TAGS\u0001B\u0002'), 'b');
    await raw.request(34, {}, heartbeat('c1', 'CG', 'T', 'A', 5));
    const asked: unknown[] = [];
    // What Java clients answer to 307, with a map whose keys are objects beside the part of interest.
    const subscriptions = (version: number): string =>
      `{"jstack":"","mqTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{"commitOffset":1}},"subscriptionSet":[{"classFilterMode":false,"codeSet":[66],"expressionType":"TAG","subString":"B","subVersion":${version},"tagsSet":["B"],"topic":"T"}]}`;
    raw.answers = (request) => {
      if (request.code === 307) asked.push(request.ext);
      return { code: 0, body: Buffer.from(subscriptions(6)) };
    };
    const pull = (subVersion: number): Promise<Response> =>
      raw.request(11, pullFields('T', 0, { sysFlag: '0', subVersion: String(subVersion) }));
    expect(units((await pull(6)).body).map((unit) => unit.body)).toEqual(['b']);
    expect(asked).toEqual([{ consumerGroup: 'CG', clientId: 'c1', jstackEnable: 'false' }]);
    // It is still asked once when it does not know of that version itself, and all that wait share the answer.
    expect((await Promise.all([pull(7), pull(7)])).map((answer) => answer.code)).toEqual([25, 25]);
    expect((await pull(7)).code).toBe(25);
    expect(asked).toHaveLength(2);
    raw.answers = () => ({ code: 0, body: Buffer.from('no JSON') });
    expect((await pull(8)).code).toBe(25);
  });

  it('is kept by short heartbeats, also over a new connection', async () => {
    const raw = await begin();
    const whole = { ...JSON.parse(heartbeat('c1', 'CG', 'T')), heartbeatFingerprint: 77 } as Record<string, never>;
    const short = { ...whole, withoutSub: true, consumerDataSet: [{ groupName: 'CG' }] };
    const beat = async (client: RawClient, body: object): Promise<unknown> =>
      (await client.request(34, {}, JSON.stringify(body))).ext;
    expect(await beat(raw, short)).toEqual({ IS_SUPPORT_HEART_BEAT_V2: 'true', IS_SUB_CHANGE: 'true' });
    expect((await raw.request(38, { consumerGroup: 'CG' })).code).toBe(1);
    expect(await beat(raw, whole)).toEqual({ IS_SUPPORT_HEART_BEAT_V2: 'true', IS_SUB_CHANGE: 'false' });
    expect(await beat(raw, short)).toEqual({ IS_SUPPORT_HEART_BEAT_V2: 'true', IS_SUB_CHANGE: 'false' });
    raw.stream.destroy();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const again = another();
    expect((await again.request(38, { consumerGroup: 'CG' })).code).toBe(1);
    expect(await beat(again, short)).toEqual({ IS_SUPPORT_HEART_BEAT_V2: 'true', IS_SUB_CHANGE: 'false' });
    expect(json(await again.request(345, { group: 'CG', topic: 'T' }))).toMatchObject({
      subscriptionData: { topic: 'T', subString: '*' },
    });
    expect(await beat(again, { ...short, heartbeatFingerprint: 78 })).toMatchObject({ IS_SUB_CHANGE: 'true' });
  });
});

describe('running clients', () => {
  it('answer what is asked of them through the broker', async () => {
    const raw = await begin();
    const sent = await raw.request(310, sendFields('T'), 'hello');
    const member = another();
    await member.request(34, {}, heartbeat('c1', 'CG', 'T'));
    member.answers = ({ code, ext, body }) => ({
      code: 0,
      body: Buffer.from(JSON.stringify({ code, ext, body: units(body).map((unit) => unit.body) })),
    });
    const told = json(await raw.request(307, { consumerGroup: 'CG', clientId: 'c1', jstackEnable: 'true' }));
    expect(told).toEqual({ code: 307, ext: { consumerGroup: 'CG', clientId: 'c1', jstackEnable: 'true' }, body: [] });
    const direct = json(
      await raw.request(309, { consumerGroup: 'CG', clientId: 'c1', msgId: sent.ext['msgId'], topic: 'T' }),
    );
    expect(direct).toMatchObject({ code: 309, ext: { brokerName: 'rosettamq' }, body: ['hello'] });
    member.answers = () => ({ code: 1, remark: 'it "failed"', body: Buffer.alloc(0) });
    expect(await raw.request(307, { consumerGroup: 'CG', clientId: 'c1' })).toMatchObject({
      code: 1,
      remark: 'it "failed"',
    });
    const table = '{"messageQueueTable":{{"brokerName":"a}\\"","queueId":0,"topic":"T"}:5}}';
    member.answers = () => ({ code: 0, body: Buffer.from(table) });
    expect((await raw.request(223, { group: 'CG', topic: 'T' })).body.toString()).toBe(
      '{"consumerTable":{"c1":{{"brokerName":"a}\\"","queueId":0,"topic":"T"}:5}}}',
    );
    expect((await raw.request(223, { group: 'CG', topic: 'T', clientAddr: 'else' })).code).toBe(206);
    expect((await raw.request(307, { consumerGroup: 'CG', clientId: 'else' })).code).toBe(1);
    expect((await raw.request(309, { consumerGroup: 'CG', clientId: 'c1', msgId: 'zz' })).code).toBe(1);
  });

  it('that go while they are asked are not online; answers that nobody waits for are passed over', async () => {
    const raw = await begin();
    const member = another();
    await member.request(34, {}, heartbeat('c1', 'CG', 'T'));
    const asked = raw.request(307, { consumerGroup: 'CG', clientId: 'c1' });
    await member.request(31, { topic: 'Nope', queueId: '0' });
    member.stream.write(jsonFrame({ code: 0, flag: 1, opaque: 12345, version: 1 }, Buffer.from('unasked')));
    member.stream.destroy();
    expect((await asked).code).toBe(206);
  });

  it('are listed with language and version', async () => {
    const raw = await begin();
    const native = new RawClient(current!.adapter, 'GO');
    clients.push(native);
    expect((await raw.request(204, { producerGroup: 'PG' })).code).toBe(1);
    const body = JSON.stringify({ clientID: 'p1', producerDataSet: [{ groupName: 'PG' }], consumerDataSet: [] });
    await native.request(34, {}, body, 317);
    expect(json(await raw.request(204, { producerGroup: 'PG' }))).toEqual({
      connectionSet: [{ clientAddr: '10.1.2.3:54321', clientId: 'p1', language: 'GO', version: 317 }],
    });
    expect(json(await raw.request(328, {}))).toMatchObject({ data: { PG: [{ clientId: 'p1', language: 'GO' }] } });
    await native.request(35, { clientID: 'p1', producerGroup: 'PG' });
    expect((await raw.request(204, { producerGroup: 'PG' })).code).toBe(1);
  });
});

describe('the name server', () => {
  it('keeps texts by namespace and key', async () => {
    const raw = await begin();
    const at = { namespace: 'ORDER_TOPIC_CONFIG', key: 'T' };
    expect((await raw.request(101, at)).code).toBe(22);
    expect((await raw.request(219, { namespace: at.namespace })).code).toBe(22);
    await raw.request(100, { ...at, value: 'rosettamq:4' });
    expect((await raw.request(101, at)).ext).toEqual({ value: 'rosettamq:4' });
    expect(json(await raw.request(219, { namespace: at.namespace }))).toEqual({ table: { T: 'rosettamq:4' } });
    await make(raw, 'T', 4, 4);
    expect(json(await raw.request(105, { topic: 'T' }))['orderTopicConf']).toBe('rosettamq:4');
    await raw.request(102, at);
    expect((await raw.request(101, at)).code).toBe(22);
    expect(json(await raw.request(105, { topic: 'T' }))['orderTopicConf']).toBeUndefined();
  });

  it('makes a topic that a tool registers', async () => {
    const raw = await begin();
    const queueDatas = [{ brokerName: 'rosettamq', perm: 6, readQueueNums: 5, writeQueueNums: 5 }];
    expect((await raw.request(217, { topic: 'T' }, JSON.stringify({ queueDatas }))).code).toBe(0);
    expect(json(await raw.request(105, { topic: 'T' }))['queueDatas']).toMatchObject([{ readQueueNums: 5 }]);
    expect((await raw.request(318, {}, 'a=b')).code).toBe(16);
    expect((await raw.request(319, {})).body.toString()).toContain('listenPort=10911\n');
    expect(json(await raw.request(901, { clusterName: 'DefaultCluster', brokerName: 'rosettamq' }))).toMatchObject({
      brokerMemberGroup: { brokerAddrs: { 0: '127.0.0.1:10911' } },
    });
  });
});

describe('the broker', () => {
  it('changes the settings that it can, at once', async () => {
    const raw = await begin();
    expect((await raw.request(25, {}, 'autoCreateTopicEnable=false\n')).code).toBe(0);
    expect((await raw.request(310, sendFields('T'), 'x')).code).toBe(17);
    expect((await raw.request(26, {})).body.toString()).toContain('autoCreateTopicEnable=false\n');
    expect((await raw.request(25, {}, 'autoCreateTopicEnable=true\nflushDiskType=ASYNC_FLUSH')).code).toBe(16);
    expect((await raw.request(310, sendFields('T'), 'x')).code).toBe(17);
    expect((await raw.request(25, {}, 'brokerPermission=many')).code).toBe(29);
    await raw.request(25, {}, 'autoCreateTopicEnable=true');
    expect((await raw.request(310, sendFields('T'), 'x')).code).toBe(0);
    await raw.request(25, {}, 'brokerPermission=2');
    expect((await raw.request(11, pullFields('T', 0))).code).toBe(16);
    await raw.request(25, {}, 'brokerPermission=4');
    expect((await raw.request(310, sendFields('T'), 'x')).code).toBe(16);
    expect((await raw.request(11, pullFields('T', 0))).code).toBe(0);
  });

  it('prints the keys that tools parse', async () => {
    const raw = await begin();
    await raw.request(310, sendFields('T'), 'x');
    const { table } = json(await raw.request(28, {})) as { table: Record<string, string> };
    for (const key of ['putTps', 'getTransferredTps', 'getTotalTps', 'getFoundTps', 'getMissTps']) {
      expect(table[key]!.split(' ').map(Number)).toHaveLength(3);
      expect(table[key]!.split(' ').map(Number).some(Number.isNaN)).toBe(false);
    }
    for (const key of ['timerReadBehind', 'timerOffsetBehind', 'timerCongestNum', 'msgPutTotalTodayNow']) {
      expect(Number.isNaN(Number(table[key]))).toBe(false);
    }
    expect(Object.values(table).every((value) => typeof value === 'string')).toBe(true);
  });

  it('tells how old its messages are, how much was sent today, and how fast a group consumes', async () => {
    const raw = await begin();
    const runtime = async (): Promise<Record<string, string>> =>
      (json(await raw.request(28, {})) as { table: Record<string, string> }).table;
    expect((await runtime())['earliestMessageTimeStamp']).toBe('-1');
    const before = Date.now();
    await raw.request(310, sendFields('T'), 'x');
    await raw.request(310, sendFields('T'), 'y');
    const told = await runtime();
    expect(Number(told['earliestMessageTimeStamp'])).toBeGreaterThanOrEqual(before);
    expect(Number(told['earliestMessageTimeStamp'])).toBeLessThanOrEqual(Date.now());
    expect(Number(told['commitLogMaxOffset'])).toBeGreaterThan(Number(told['commitLogMinOffset']));
    expect(Number(told['commitLogDiskRatio'])).toBeGreaterThan(0);
    expect([told['msgPutTotalTodayMorning'], told['msgPutTotalTodayNow']]).toEqual(['0', '2']);
    const speed = async (): Promise<unknown> =>
      json(await raw.request(208, { consumerGroup: 'CG', topic: 'T' }))['consumeTps'];
    await raw.request(34, {}, heartbeat('c1', 'CG', 'T'));
    expect(await speed()).toBe(0);
    await raw.request(11, pullFields('T', 0));
    expect(await speed()).toBeGreaterThan(0);
  });

  it('shows what grew since it was asked before', async () => {
    const raw = await begin();
    await raw.request(310, sendFields('T'), 'x');
    const view = async (): Promise<Record<string, { sum: number }>> =>
      json(await raw.request(315, { statsName: 'TOPIC_PUT_NUMS', statsKey: 'T' })) as Record<string, { sum: number }>;
    expect(await view()).toMatchObject({
      statsMinute: { sum: 0, tps: 0 },
      statsHour: { sum: 0 },
      statsDay: { sum: 0 },
    });
    await raw.request(310, sendFields('T'), 'y');
    expect((await view())['statsHour']!.sum).toBe(1);
    expect((await raw.request(315, { statsName: 'NOPE', statsKey: 'T' })).code).toBe(1);
    const stats = json(await raw.request(317, { isOrder: 'false' }));
    expect(stats).toMatchObject({ brokerAddr: '127.0.0.1:10911', totalDiff: 0 });
  });
});
