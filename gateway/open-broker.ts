// Joins the core's parts into the broker that the gateway runs.
import type { BrokerParts, RunningBroker } from './serving.ts';

export async function openBroker(parts: BrokerParts): Promise<RunningBroker> {
  const name = '../core/broker.ts';
  const module = (await import(name)) as { openBroker(parts: BrokerParts): Promise<RunningBroker> };
  return module.openBroker(parts);
}
