// Spring AMQP: templates with correlated confirms and returns, both listener containers, dead letters, direct replies,
// retries and transacted channels, as a Spring application uses them.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { fresh } from '../harness/suite.ts';
import { startTarget, type Target } from '../harness/target.ts';
import { after, before, test } from '../harness/test.ts';
import { compiled, jars } from '../harness/toolchain.ts';
import { execute } from '../harness/work.ts';

const FOLDER = join(import.meta.dirname, 'spring');

let target: Target;
let seen: Record<string, unknown>;
before(async () => {
  target = await startTarget('amqp-spring', ['amqp']);
  const pom = join(FOLDER, 'pom.xml');
  const classpath = await compiled('spring-application', [FOLDER], await jars('spring-amqp', pom), [pom]);
  const jvm = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
  const out = await execute('java', [
    ...jvm,
    '-cp',
    classpath,
    'SpringApplication',
    target.endpoints.amqp,
    fresh('spring'),
  ]);
  seen = JSON.parse(out.trim().split('\n').at(-1)!) as Record<string, unknown>;
});
after(() => target?.stop());

test('correlated confirms: taken, refused by a full queue, returned and taken', () => {
  assert.deepEqual(seen['confirms'], [true, false, true]);
  assert.equal(seen['returned'], '312 NO_ROUTE');
});

for (const kind of ['simple', 'direct'])
  test(`the ${kind} container takes every message once and passes on what its listener refuses`, () => {
    assert.deepEqual(seen[kind], { got: 200, distinct: 200, left: 0, dead: 'm13 rejected' });
  });

test('a template asks by direct reply; an auto-delete queue goes with its container', () => {
  assert.deepEqual(seen['answers'], ['question 0!', 'question 1!', 'question 2!']);
  assert.equal(seen['auto-delete queue is gone'], true);
});

test('a listener that fails is given the message again, marked', () => {
  assert.deepEqual(seen['retried'], [false, true]);
});

test('a template on transacted channels', () => {
  assert.equal(seen['transacted'], 'committed');
});
