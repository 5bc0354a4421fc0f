// A schema registry that keeps what it knows in topics: Apicurio Registry through the interface of Confluent's, two of
// them side by side, one of them killed and started again.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { after } from '../harness/test.ts';
import { scratch } from '../harness/work.ts';
import { type Answer, Registry, registryJava, registryProgram } from './registry/registry.ts';
import { Actor, fresh, Stage, until } from './stage.ts';

const stage = new Stage('registry');
const java = new Actor(stage, 'java-4');
await registryJava();
await registryProgram();

interface Version {
  readonly subject: string;
  readonly version: number;
  readonly id: number;
  readonly schema: string;
}

const order = (...more: object[]): string =>
  JSON.stringify({ type: 'record', name: 'Order', fields: [{ name: 'id', type: 'string' }, ...more] });
const NUMBER = { name: 'number', type: 'int' };
const FIRST = order();
const BREAKING = order(NUMBER);
const SECOND = order({ ...NUMBER, default: 1 });
const THIRD = order({ ...NUMBER, default: 1 }, { name: 'note', type: ['null', 'string'], default: null });

const register = (at: Registry, subject: string, schema: string): Promise<Answer> =>
  at.call('POST', `/subjects/${subject}/versions`, { schema });
const registered = async (at: Registry, subject: string, schema: string): Promise<number> => {
  const { status, body } = await register(at, subject, schema);
  assert.equal(status, 200, JSON.stringify(body));
  return (body as { id: number }).id;
};
const version = async (at: Registry, subject: string, which: number | 'latest'): Promise<Version | null> => {
  const { status, body } = await at.call('GET', `/subjects/${subject}/versions/${which}`);
  return status === 200 ? (body as Version) : null;
};
/** Everything a registry knows of its subjects. */
const known = async (at: Registry): Promise<(Version | null)[]> => {
  const all: (Version | null)[] = [];
  for (const subject of ((await at.call('GET', '/subjects')).body as string[]).toSorted())
    for (const which of (await at.call('GET', `/subjects/${subject}/versions`)).body as number[])
      all.push(await version(at, subject, which));
  return all;
};

void describe('schema registry', () => {
  void it('schemas are registered, evolve and are refused over two registries, and are there again after a kill', async () => {
    const folder = scratch('registry');
    const topics = fresh('registry');
    const running: Registry[] = [];
    after(async () => Promise.all(running.map((one) => one.server.stop())));
    const start = async (name: string): Promise<Registry> => {
      const one = await Registry.start(folder, name, stage.bootstrap, topics);
      running.push(one);
      return one;
    };
    // One after the other: two that find nothing both make the topics, and the one that is refused gives up.
    const one = await start('one');
    const two = await start('two');

    const ids = [await registered(one, 'orders-value', FIRST)];
    await until('two has the first version', async () => (await version(two, 'orders-value', 1))?.schema === FIRST);
    assert.equal((await two.call('PUT', '/config/orders-value', { compatibility: 'BACKWARD' })).status, 200);
    await until(
      'one has the rule',
      async () =>
        ((await one.call('GET', '/config/orders-value')).body as object & { compatibilityLevel?: string })
          .compatibilityLevel === 'BACKWARD',
    );
    assert.equal((await register(one, 'orders-value', BREAKING)).status, 409);
    ids.push(await registered(two, 'orders-value', SECOND));
    await until('one has the second version', async () => (await version(one, 'orders-value', 2))?.schema === SECOND);
    assert.equal(await registered(one, 'orders-value', FIRST), ids[0], 'a schema that is there keeps its id');

    // Both at once: the journal has one order, so that no id is given twice.
    const subjects = Array.from({ length: 20 }, (_, i) => `both-${String(i).padStart(2, '0')}-value`);
    const given = await Promise.all(
      subjects.map((subject, i) =>
        registered(i % 2 ? one : two, subject, order({ name: `field${i}`, type: 'long', default: i })),
      ),
    );
    assert.equal(new Set([...ids, ...given]).size, 22);
    await until('both know all', async () => (await known(one)).length === 22 && (await known(two)).length === 22);
    const all = await known(one);
    assert.deepEqual(await known(two), all);
    const told = new Map(all.map((row) => [row?.subject, row?.id]));
    assert.deepEqual(
      subjects.map((subject) => told.get(subject)),
      given,
    );

    await one.server.kill9();
    ids.push(await registered(two, 'orders-value', THIRD));
    const again = await start('again');
    assert.deepEqual(await known(again), await known(two), 'replayed from the journal alone');
    assert.deepEqual((await again.call('GET', `/schemas/ids/${ids[2]}`)).body, { schema: THIRD });

    // Over a snapshot and what came after it.
    const before = await java.call('offsets', { topic: `${topics}-snapshots` });
    assert.equal((await two.snapshot()).status, 200);
    await until(
      'the snapshot is told',
      async () => (await java.call('offsets', { topic: `${topics}-snapshots` })).end > before.end,
    );
    const late = await registered(two, 'late-value', FIRST);
    assert.deepEqual((await two.call('DELETE', '/subjects/both-00-value')).body, [1]);
    await again.server.stop();
    const last = await start('last');
    assert.deepEqual(await known(last), await known(two), 'over a snapshot');
    assert.equal((await version(last, 'late-value', 'latest'))?.id, late);
    assert.equal(await version(last, 'both-00-value', 1), null);
  });
});
