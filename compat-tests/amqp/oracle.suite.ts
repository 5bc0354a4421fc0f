// The comparison with RabbitMQ, scenario by scenario: every difference is meant (differences.ts) or known as not built yet
// (not-yet.ts), and nothing is listed there that does not differ.
import assert from 'node:assert/strict';
import { isTableKept } from '../harness/mapping-table.ts';
import { after, before, describe, test } from '../harness/test.ts';
import { type Brokers, startBrokers } from './brokers.ts';
import { type Comparison, compare, described, isFinding } from './compare.ts';
import { DIFFERENCES } from './differences.ts';
import { NOT_YET } from './not-yet.ts';
import { amqpTable } from './oracle.ts';
import { SCENARIOS } from './scenarios/scenarios.ts';

describe('beside RabbitMQ', () => {
  let brokers: Brokers;
  let found: Map<string, Comparison>;
  before(async () => {
    brokers = await startBrokers();
    found = new Map((await compare(SCENARIOS, brokers)).map((one) => [one.scenario, one]));
  });
  after(() => brokers?.stop());

  for (const { name } of SCENARIOS)
    test(name, () => {
      const one = found.get(name)!;
      assert.ok(!isFinding(one), described(one));
    });
});

test('differences and what is not built yet are told by names of scenarios, each once', () => {
  const names = SCENARIOS.map((one) => one.name);
  assert.equal(new Set(names).size, names.length);
  const listed = [...Object.keys(DIFFERENCES), ...NOT_YET];
  assert.equal(new Set(listed).size, listed.length);
  assert.deepEqual(
    listed.filter((name) => !names.includes(name)),
    [],
  );
});

test('MAPPING.md has the table of the differences', () => {
  assert.ok(isTableKept('amqp', amqpTable()), 'npm run oracle -- amqp --table brings it up to date');
});
