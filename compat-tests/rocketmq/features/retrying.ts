// Retries and dead letters: what fails comes back later with a higher count, and after the last time it is put aside.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { differs } from '../differences.ts';
import { type Actor, bodies, fresh, texts, until } from '../stage.ts';

/** A new group's consumer may hear of its retry topic's queues with its next rebalance only, and those are 20 s apart. */
const REBALANCE_MS = 20_000;

function assertCameAfter(ms: number, delayMs: number, slackMs = 0): void {
  const isInTime = ms >= delayMs - 1_000 && ms <= delayMs + slackMs + 3_000;
  assert.ok(isInTime, `it came back after ${ms} ms, not after ${delayMs}`);
}

export function retrying(actor: Actor): void {
  void it('back-off: the first two retries come after 10 and 30 seconds, the others do not wait', async () => {
    const topic = await actor.topic(1);
    const group = fresh('g');
    const rules = [{ body: 'bad', times: 2 }];
    const { consumer } = await actor.call('subscribe', { group, topics: { [topic]: '*' }, rules });
    const properties = { mine: 'kept' };
    const [sent] = await actor.send(topic, [{ body: 'bad', key: 'k', tag: 'T', properties }, ...texts(3)]);
    const got = await actor.received(consumer, 6, 60_000);
    await actor.call('close', { consumer });
    const bad = got.filter((one) => one.body === 'bad');
    assert.deepEqual(
      bad.map((one) => one.attempts),
      [0, 1, 2],
    );
    const [first, second, third] = bad as [(typeof bad)[0], (typeof bad)[0], (typeof bad)[0]];
    assertCameAfter(second.at - first.at, 10_000, REBALANCE_MS);
    assertCameAfter(third.at - second.at, 30_000);
    for (const one of bad) {
      assert.deepEqual(
        [one.topic, one.key, one.tag, one.id, one.properties['mine']],
        [topic, 'k', 'T', sent!.id, 'kept'],
      );
    }
    assert.equal(second.properties['RETRY_TOPIC'] ?? second.properties['REAL_TOPIC'], topic);
    assert.equal(second.properties['ORIGIN_MESSAGE_ID'], sent!.offsetId);
    for (const one of got.filter(({ body }) => body !== 'bad')) assert.ok(one.at < second.at);
  });

  void it('an exception is a failure; a chosen delay level is kept', async () => {
    const topic = await actor.topic(1);
    const rules = [{ body: 'throws', times: 1, result: 'throw' }];
    const group = fresh('g');
    const { consumer } = await actor.call('subscribe', { group, topics: { [topic]: '*' }, rules, retryLevel: 2 });
    await actor.send(topic, [{ body: 'throws' }]);
    const got = await actor.received(consumer, 2, 30_000);
    await actor.call('close', { consumer });
    assert.deepEqual(
      got.map((one) => one.attempts),
      [0, 1],
    );
    assertCameAfter(got[1]!.at - got[0]!.at, 5_000, REBALANCE_MS);
  });

  void it('dead letters: after the last attempt, with where they came from, and readable by a group', async () => {
    const topic = await actor.topic(1);
    const group = fresh('g');
    const rules = [{ body: 'poison' }];
    const fields = { group, topics: { [topic]: '*' }, rules, retryLevel: 1, maxReconsume: 2 };
    const { consumer } = await actor.call('subscribe', fields);
    const [sent] = await actor.send(topic, [{ body: 'poison', key: 'k' }]);
    const got = await actor.received(consumer, 3, 30_000);
    assert.deepEqual(
      got.map((one) => one.attempts),
      [0, 1, 2],
    );
    const dead = `%DLQ%${group}`;
    await until('the dead-letter topic', async () => (await actor.call('route', { topic: dead }))['write'] === 1);
    // Its reader is told the topic's permission and count like of any other topic.
    const reader = await actor.call('subscribe', { group: fresh('g'), topics: { [dead]: '*' } });
    const [letter] = await actor.received(reader.consumer, 1, 30_000);
    for (const one of [consumer, reader.consumer]) await actor.call('close', { consumer: one });
    assert.equal(letter?.body, 'poison');
    assert.equal(letter.key, 'k');
    assert.equal(letter.id, sent!.id);
    assert.equal(letter.properties['DLQ_ORIGIN_TOPIC'], differs('dead-letter-origin') ? topic : undefined);
    assert.equal(
      letter.properties['DLQ_ORIGIN_MESSAGE_ID'],
      differs('dead-letter-origin') ? sent!.offsetId : undefined,
    );
    assert.equal(letter.properties['RETRY_TOPIC'], topic);
    assert.equal(letter.properties['ORIGIN_MESSAGE_ID'], sent!.offsetId);
  });

  void it('a push consumer’s limit of retries goes before the group’s own', async () => {
    const topic = await actor.topic(1);
    const group = fresh('g');
    await actor.call('createGroup', { group, retryMaxTimes: 1 });
    await actor.send(topic, [{ body: 'once' }]);
    const rules = [{ body: 'once' }];
    const { consumer } = await actor.call('subscribe', { group, topics: { [topic]: '*' }, rules, retryLevel: 1 });
    // A push consumer of Java names its limit with each request, 16 where the application set none.
    const got = await actor.received(consumer, 3, 40_000);
    await actor.call('close', { consumer });
    assert.deepEqual(
      got.map((one) => one.attempts),
      [0, 1, 2],
    );
  });

  void it('orderly: a queue that failed too often sends the message aside and goes on', async () => {
    const topic = await actor.topic(1);
    const group = fresh('g');
    const rules = [{ body: 'stuck' }];
    const fields = { group, topics: { [topic]: '*' }, rules, orderly: true, suspendMs: 100, maxReconsume: 2 };
    const { consumer } = await actor.call('subscribe', fields);
    await actor.send(topic, [{ body: 'stuck' }, { body: 'next' }]);
    await until('the message behind it', async () => bodies(await actor.received(consumer, 1)).includes('next'));
    const got = await actor.received(consumer, 4);
    assert.deepEqual(bodies(got).slice(0, 4), ['stuck', 'stuck', 'stuck', 'next']);
    await actor.call('close', { consumer });
    const dead = `%DLQ%${group}`;
    await until('the dead letter', async () =>
      bodies((await actor.call('pull', { topic: dead, queue: 0, offset: 0 })).messages).includes('stuck'),
    );
  });

  void it('consume timeout: what takes longer than the limit is sent back while it is still at work', async () => {
    const topic = await actor.topic(1);
    const rules = [{ body: 'slow', times: 1, result: 'done', sleepMs: 130_000 }];
    const fields = { group: fresh('g'), topics: { [topic]: '*' }, rules, consumeTimeoutMin: 1 };
    const { consumer } = await actor.call('subscribe', fields);
    await actor.send(topic, [{ body: 'slow' }, { body: 'quick' }]);
    // The client looks once in the limit's time; the message it finds too old goes back at level 3.
    for (let waited = 0; waited < 3 && (await actor.received(consumer, 3, 60_000)).length < 3; waited++);
    const got = await actor.received(consumer, 3, 1);
    await actor.call('close', { consumer, waitMs: 0 });
    assert.deepEqual(bodies(got).sort(), ['quick', 'slow', 'slow']);
    const slow = got.filter((one) => one.body === 'slow');
    assert.deepEqual(
      slow.map((one) => one.attempts),
      [0, 1],
    );
    assert.ok(slow[1]!.at - slow[0]!.at < 135_000);
  });
}
