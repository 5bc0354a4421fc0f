// Moving a group: on the server and through its clients, online and offline, over a restart of the client.

import { afterEach, describe, expect, it } from 'vitest';
import type { Harness, HarnessOptions } from './testing/harness.ts';
import { harness, RawClient, type Response } from './testing/harness.ts';
import { heartbeat, pullFields, sendFields, units } from './testing/requests.ts';

const clients: RawClient[] = [];
let current: Harness | undefined;
afterEach(async () => {
  for (const client of clients.splice(0)) client.stream.destroy();
  expect(current?.defects ?? []).toEqual([]);
  await current?.close();
  current = undefined;
});

/** A topic of one queue with ten messages, a member of CG that has read them all, and who resets. */
async function begun(options: HarnessOptions = {}): Promise<{ member: RawClient; admin: RawClient }> {
  current = await harness(options);
  const [member, admin] = [new RawClient(current.adapter), new RawClient(current.adapter)];
  clients.push(member, admin);
  for (let i = 0; i < 10; i++) await admin.request(310, sendFields('T', '', { d: '1' }), `m${i}`);
  await member.request(34, {}, heartbeat('c1', 'CG', 'T'));
  await member.request(15, { consumerGroup: 'CG', topic: 'T', queueId: '0', commitOffset: '10' });
  return { member, admin };
}

const reset = (admin: RawClient, more: Record<string, unknown>): Promise<Response> =>
  admin.request(222, { group: 'CG', topic: 'T', queueId: '-1', timestamp: '0', isForce: 'true', ...more });
const place = async (client: RawClient): Promise<string | undefined> =>
  (await client.request(14, { consumerGroup: 'CG', topic: 'T', queueId: '0' })).ext['offset'];

describe('on the server', () => {
  it('tells a waiting pull at once, passes over old commits, and ends with a pull at the new place', async () => {
    const { member, admin } = await begun();
    const waiting = member.request(11, pullFields('T', 10, { sysFlag: '2', suspendTimeoutMillis: '20000' }));
    await member.request(31, { topic: 'T', queueId: '0' });
    const answer = await reset(admin, { queueId: '0', offset: '4', timestamp: '-1' });
    expect(answer.body.toString()).toBe('{"offsetTable":{{"brokerName":"rosettamq","queueId":0,"topic":"T"}:4}}');
    expect(await waiting).toMatchObject({ code: 21, remark: 'OFFSET_RESET', ext: { nextBeginOffset: '4' } });
    // What the client commits from where it was changes nothing, by itself or with a pull.
    const late = await member.request(15, { consumerGroup: 'CG', topic: 'T', queueId: '0', commitOffset: '10' });
    expect(late).toMatchObject({ code: 0, remark: 'Offset has been previously reset' });
    expect((await member.request(11, pullFields('T', 10, { sysFlag: '1', commitOffset: '10' }))).code).toBe(21);
    expect(await place(member)).toBe('4');
    const pull = await member.request(11, pullFields('T', 4, { sysFlag: '0' }));
    expect(units(pull.body).map((unit) => unit.offset)).toEqual([4, 5, 6, 7, 8, 9]);
    await member.request(15, { consumerGroup: 'CG', topic: 'T', queueId: '0', commitOffset: '6' });
    expect(await place(member)).toBe('6');
    expect((await member.request(11, pullFields('T', 10, { sysFlag: '0' }))).code).toBe(19);
  });

  it('holds for a group that is offline, which then gets no correction', async () => {
    const { member, admin } = await begun();
    member.stream.destroy();
    await reset(admin, { timestamp: '0' });
    const again = new RawClient(current!.adapter);
    clients.push(again);
    await again.request(34, {}, heartbeat('c1', 'CG', 'T'));
    expect(await place(again)).toBe('0');
    const pull = await again.request(11, pullFields('T', 0, { sysFlag: '0' }));
    expect(units(pull.body)).toHaveLength(10);
  });

  it('goes to the first message of a time, to the end for a negative one, and nowhere out of range', async () => {
    const { admin } = await begun();
    const last = await admin.request(11, pullFields('T', 9));
    const storedMs = last.body.readBigInt64BE(56);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await admin.request(310, sendFields('T'), 'later');
    await reset(admin, { timestamp: String(storedMs + 1n) });
    expect(await place(admin)).toBe('10');
    await reset(admin, { timestamp: '-1' });
    expect(await place(admin)).toBe('11');
    expect(await reset(admin, { queueId: '0', offset: '12' })).toMatchObject({
      code: 1,
      remark: 'Target offset 12 not in consume queue range [0-11]',
    });
    expect((await reset(admin, { queueId: '5' })).code).toBe(29);
    expect((await reset(admin, { topic: 'Nope' })).code).toBe(17);
    expect((await reset(admin, { group: 'Nope' })).code).toBe(26);
  });
});

describe('through the clients', () => {
  it('sends 220 to every member, forward only when forced', async () => {
    const { member, admin } = await begun({ settings: { serverSideReset: false } });
    await reset(admin, { timestamp: '-1' });
    await reset(admin, { timestamp: '0' });
    expect(member.unasked.filter(({ code }) => code === 220)).toMatchObject([
      { ext: { group: 'CG', topic: 'T', timestamp: '-1', isForce: 'true' } },
      { ext: { timestamp: '0' } },
    ]);
    const bodies = member.unasked.filter(({ code }) => code === 220).map(({ body }) => body.toString());
    expect(bodies[1]).toBe('{"offsetTable":{{"brokerName":"rosettamq","queueId":0,"topic":"T"}:0}}');
    // The client moves itself: nothing is committed for it.
    expect(await place(admin)).toBe('10');
    member.stream.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await reset(admin, {})).code).toBe(206);
  });

  it('writes the list that C++ clients read', async () => {
    const { admin } = await begun({ settings: { serverSideReset: false } });
    const native = new RawClient(current!.adapter, 'CPP');
    clients.push(native);
    await native.request(34, {}, heartbeat('c2', 'CG', 'T'));
    await reset(admin, { timestamp: '0' });
    await native.request(31, { topic: 'T', queueId: '0' });
    expect(JSON.parse(native.unasked.find(({ code }) => code === 220)!.body.toString())).toEqual({
      offsetTable: [{ brokerName: 'rosettamq', offset: 0, queueId: 0, topic: 'T' }],
    });
  });
});

describe('places', () => {
  it('are cloned, compared and told as times', async () => {
    const { member, admin } = await begun();
    await member.request(15, { consumerGroup: 'CG', topic: 'T', queueId: '0', commitOffset: '7' });
    expect((await admin.request(314, { srcGroup: 'CG', destGroup: 'DG', offline: 'false' })).code).toBe(0);
    const cloned = await admin.request(14, { consumerGroup: 'DG', topic: 'T', queueId: '0' });
    expect(cloned.ext['offset']).toBe('7');
    await admin.request(15, { consumerGroup: 'DG', topic: 'T', queueId: '0', commitOffset: '3' });
    const correction = async (compareGroup: string, filterGroups = ''): Promise<string> =>
      (await admin.request(308, { compareGroup, filterGroups, topic: 'T' })).body.toString();
    expect(await correction('CG')).toBe('{"correctionOffsets":{0:3}}');
    expect(await correction('CG', 'DG')).toBe('{"correctionOffsets":{0:7}}');
    expect(await correction('DG', 'DG')).toBe('{"correctionOffsets":{0:9223372036854775807}}');
    const { consumeTimeSpanSet } = JSON.parse(
      (await admin.request(303, { topic: 'T', group: 'CG' })).body.toString(),
    ) as { consumeTimeSpanSet: Record<string, number>[] };
    expect(consumeTimeSpanSet).toHaveLength(1);
    const span = consumeTimeSpanSet[0]!;
    expect(span['minTimeStamp']).toBeLessThanOrEqual(span['consumeTimeStamp']!);
    expect(span['consumeTimeStamp']).toBeLessThanOrEqual(span['maxTimeStamp']!);
    expect(span['delayTime']).toBeGreaterThanOrEqual(0);
  });
});
