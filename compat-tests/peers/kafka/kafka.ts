// Apache Kafka on loopback in one process (KRaft, broker and controller), for oracles and benchmarks.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, isListening, ServerProcess } from '../../harness/process.ts';
import { peerClasspath } from '../../harness/toolchain.ts';
import { execute } from '../../harness/work.ts';

const LOG_LEVEL = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';

/** Starts Kafka in an empty folder; `flush` syncs each append before its acknowledgement, as our `sync` does. */
export async function startKafka(
  folder: string,
  options: { flush?: 'sync' | 'async'; heap?: string } = {},
): Promise<{ server: ServerProcess; bootstrap: string }> {
  const classpath = await peerClasspath('kafka');
  const [port, controllerPort] = (await freePorts(2)) as [number, number];
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': join(folder, 'logs'),
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'message.max.bytes': 8 << 20,
    ...(options.flush === 'sync' ? { 'log.flush.interval.messages': 1 } : {}),
  };
  const file = join(folder, 'server.properties');
  writeFileSync(
    file,
    Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  const id = (await execute('java', [LOG_LEVEL, '-cp', classpath, 'kafka.tools.StorageTool', 'random-uuid'])).trim();
  await execute('java', [LOG_LEVEL, '-cp', classpath, 'kafka.tools.StorageTool', 'format', '-t', id, '-c', file]);
  const server = new ServerProcess(
    'kafka',
    'java',
    [`-Xmx${options.heap ?? '1g'}`, LOG_LEVEL, '-cp', classpath, 'kafka.Kafka', file],
    { logFile: join(folder, 'kafka.log') },
  );
  await server.ready(() => isListening(port), 60_000);
  return { server, bootstrap: `127.0.0.1:${port}` };
}
