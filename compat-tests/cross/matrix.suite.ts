// The 3 × 3 matrix: every publishing client, every receiving client, by offset and by lease, every case of cases.ts.
import assert from 'node:assert/strict';
import type { ReceivedMessage, SendResult } from '../drivers/driver.ts';
import { bodies, keys, message, text } from '../harness/messages.ts';
import { stage } from '../harness/suite.ts';
import { before, describe, test } from '../harness/test.ts';
import { assertArrived, CASES, caseOf, expectedOrder, toSend } from './cases.ts';
import { PUBLISHERS, publish, RECEIVERS } from './routes.ts';

const here = stage('matrix');

for (const from of PUBLISHERS) {
  const sent = CASES.filter((one) => one.from.includes(from.protocol));
  let topic = '';
  const prepared = new Map<string, string>();

  describe(`${from.protocol} (${from.driver})`, () => {
    before(async () => {
      topic = await here.topic(1, `from-${from.protocol}`);
      for (const to of RECEIVERS) prepared.set(to.name, await to.prepare(here, topic));
      for (const one of sent) await publish(here, from, topic, [toSend(one)]);
    });

    for (const to of RECEIVERS) {
      describe(`→ ${to.name}`, () => {
        let got: ReceivedMessage[] = [];
        before(async () => {
          got = await to.receive(here, topic, prepared.get(to.name)!, sent.length);
        });
        for (const one of sent) {
          test(one.name, () =>
            assertArrived(
              got.find((received) => caseOf(received) === one.name),
              one,
              from.protocol,
              to.protocol,
            ),
          );
        }
        test('each once, in the order published', () => {
          const arrived = got.map(caseOf);
          // The push consumers hand messages of one queue to many threads, so only the set is theirs to keep.
          if (to.name.includes('push')) assert.deepEqual(new Set(arrived), new Set(expectedOrder(from.protocol)));
          else assert.deepEqual(arrived, expectedOrder(from.protocol));
          assert.equal(arrived.length, sent.length);
        });
      });
    }
  });
}

const KEYS = Array.from({ length: 12 }, (_, i) => `key-${i}`);

describe('order per key over four queues', () => {
  for (const from of PUBLISHERS.filter((one) => one.driver !== 'ali-ons')) {
    test(`${from.protocol} (${from.driver}) → all three`, async () => {
      const topic = await here.topic(4, 'keyed');
      const bound = RECEIVERS.find((one) => one.name.includes('bound') && one.driver === 'amqplib')!;
      const queue = await bound.prepare(here, topic);
      const messages = Array.from({ length: 600 }, (_, i) => {
        const key = KEYS[(i * 7) % KEYS.length]!;
        // A RocketMQ producer keeps the order of a key by choosing the queue itself; the others place by the key.
        return {
          ...message({ key, body: `${key}#${i}` }),
          ...(from.protocol === 'rocketmq' ? { queue: KEYS.indexOf(key) % 4 } : {}),
        };
      });
      await publish(here, from, topic, messages);
      const wanted = perKey(messages.map((one) => text(one.body)));
      for (const [name, got] of [
        ['kafka', (await here.call('java', 'kafka.read', { topic, count: 600 })).messages],
        ['rocketmq', (await here.call('java', 'rocketmq.read', { topic, count: 600 })).messages],
        ['amqp', await bound.receive(here, topic, queue, 600)],
      ] as const) {
        assert.deepEqual(perKey(bodies(got)), wanted, name);
        if (name === 'amqp') continue;
        const queuesOfKey = Map.groupBy(got, (one) => text(one.key));
        for (const [key, all] of queuesOfKey)
          assert.equal(new Set(all.map((one) => one.queue)).size, 1, `${name}: ${key} in one queue`);
      }
    });
  }
});

function perKey(all: readonly (string | null)[]): Record<string, string[]> {
  return Object.fromEntries(KEYS.map((key) => [key, all.filter((body) => body!.startsWith(`${key}#`)) as string[]]));
}

describe('offsets', () => {
  test('Kafka and RocketMQ see the same message at the same offset of the same queue, whoever published it', async () => {
    const topic = await here.topic(3, 'mixed');
    const placed = new Map<string, string>();
    for (let round = 0; round < 5; round++) {
      for (const from of PUBLISHERS) {
        const messages = Array.from({ length: 7 }, (_, i) => {
          const one = message({ key: `k${i}`, body: `${from.protocol}-${from.driver}-${round}-${i}` });
          return from.choosesQueue ? { ...one, queue: i % 3 } : one;
        });
        const results: SendResult[] = await publish(here, from, topic, messages);
        for (const [i, { queue, offset }] of results.entries())
          if (offset !== undefined) placed.set(text(messages[i]!.body)!, `${queue}/${offset}`);
      }
    }
    const total = 5 * 7 * PUBLISHERS.length;
    const kafka = (await here.call('java', 'kafka.read', { topic, count: total })).messages;
    const rocketmq = (await here.call('java', 'rocketmq.read', { topic, count: total })).messages;
    const placesOf = (messages: readonly ReceivedMessage[]): Record<string, string | null> =>
      Object.fromEntries(messages.map((one) => [`${one.queue}/${one.offset}`, text(one.body)]));
    assert.equal(kafka.length, total);
    assert.deepEqual(placesOf(rocketmq), placesOf(kafka));
    for (const [body, place] of placed)
      assert.equal(placesOf(kafka)[place], body, `where its publisher was told it is: ${place}`);
    for (let queue = 0; queue < 3; queue++) {
      const ends = [
        await here.call('java', 'kafka.offsets', { topic, queue }),
        await here.call('java', 'rocketmq.offsets', { topic, queue }),
      ];
      assert.deepEqual(ends[0], ends[1], `first and next offset of queue ${queue}`);
      assert.equal(ends[0]!.next, kafka.filter((one) => one.queue === queue).length);
    }
    assert.deepEqual(new Set(keys(kafka)), new Set(keys(rocketmq)));
  });
});
