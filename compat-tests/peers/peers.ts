// The three real brokers as one target: each serves its own protocol, nothing crosses.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Driver } from '../drivers/driver.ts';
import type { ServerProcess } from '../harness/process.ts';
import type { Target } from '../harness/target.ts';
import { scratch } from '../harness/work.ts';
import { startKafka } from './kafka/kafka.ts';
import { startRabbitmq } from './rabbitmq/rabbitmq.ts';
import { rocketmqTopic, startRocketmq } from './rocketmq/rocketmq.ts';

type Protocol = keyof Target['endpoints'];

export async function startPeers(name: string, protocols: readonly Protocol[]): Promise<Target> {
  const folder = scratch(`peers-${name}`);
  const servers: ServerProcess[] = [];
  const endpoints = { kafka: 'none:0', rocketmq: 'none:0', amqp: 'amqp://none:0' };
  const at = (peer: string): string => {
    mkdirSync(join(folder, peer));
    return join(folder, peer);
  };
  if (protocols.includes('kafka')) {
    const { server, bootstrap } = await startKafka(at('kafka'), { heap: '512m' });
    servers.unshift(server);
    endpoints.kafka = bootstrap;
  }
  if (protocols.includes('rocketmq')) {
    const { namesrv, broker, address } = await startRocketmq(at('rocketmq'));
    servers.unshift(broker, namesrv);
    endpoints.rocketmq = address;
  }
  if (protocols.includes('amqp')) {
    const { servers: rabbit, url } = await startRabbitmq(at('rabbitmq'));
    servers.unshift(...rabbit);
    endpoints.amqp = url;
  }
  const admin = protocols.includes('kafka') ? await Driver.start('java', endpoints) : null;
  return {
    name: 'peers',
    endpoints,
    async createTopic(topic, queues) {
      if (protocols.includes('kafka')) await admin!.call('kafka.createTopic', { topic, queues });
      if (protocols.includes('rocketmq')) await rocketmqTopic(endpoints.rocketmq, topic, queues);
    },
    async stop() {
      await admin?.stop();
      for (const server of servers) await server.stop();
    },
  };
}
