// What the suites are run against: the product, or with COMPAT_TARGET=peers the three real brokers, each serving its own
// protocol. The second is the oracle: an expectation of a single-protocol suite that the real broker does not meet is a
// mistake in the suite. Suites that cross protocols run against the product alone.
import type { Endpoints } from '../drivers/driver.ts';
import { Product } from './product.ts';

export interface Target {
  readonly name: 'product' | 'peers';
  readonly endpoints: Endpoints;
  /** Makes a topic with this many queues, known to Kafka and RocketMQ clients alike when this returns. */
  createTopic(name: string, queues: number): Promise<void>;
  stop(): Promise<unknown>;
}

export const isAgainstPeers = process.env.COMPAT_TARGET === 'peers';

export async function startTarget(
  name: string,
  protocols: readonly ('kafka' | 'rocketmq' | 'amqp')[] = ['kafka', 'rocketmq', 'amqp'],
): Promise<Target> {
  if (!isAgainstPeers) return Product.start(name);
  const { startPeers } = await import('../peers/peers.ts');
  return startPeers(name, protocols);
}
