// What clients send of themselves, on the metrics page.
import { expect, it } from 'vitest';
import type { Adapter, ClientMetric } from '../adapters/adapter.ts';
import { newRegistry } from './metrics.ts';
import { StubBroker } from './testing/stub-broker.ts';

function page(metrics: () => Iterable<ClientMetric>): Promise<string> {
  const adapter = { protocol: 'kafka', connections: 0, counts: {}, clientMetrics: metrics } as unknown as Adapter;
  const registry = newRegistry({
    broker: new StubBroker().verbs,
    adapters: () => [adapter],
    clock: { differenceMs: () => 0, timers: 0 } as never,
    status: { phase: 'up', flush: 'sync' } as never,
    refusals: () => [],
  });
  return registry.metrics();
}

it('shows the numbers of clients by their own names', async () => {
  const text = await page(() => [{ name: 'fetch.latency', client: 'c/1', labels: 'topic=t', value: 2.5 }]);
  expect(text).toContain(
    'rosettamq_client_metric{protocol="kafka",client="c/1",name="fetch.latency",labels="topic=t"} 2.5\n',
  );
});

it('stays small whatever they send', async () => {
  const text = await page(function* () {
    for (let i = 0; ; i++) yield { name: `n${i}`, client: 'c', labels: '', value: i };
  });
  expect(text.split('\n').filter((line) => line.startsWith('rosettamq_client_metric{'))).toHaveLength(10_000);
});
