// Apache Kafka on loopback in one process (KRaft, broker and controller), for oracles and benchmarks.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, isListening, ServerProcess } from '../../harness/process.ts';
import { peerClasspath } from '../../harness/toolchain.ts';
import { execute } from '../../harness/work.ts';

const LOG_LEVEL = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';

/** Two more listeners that ask for a login, with and without TLS, and who may log in by PLAIN. */
interface Guard {
  readonly certFile: string;
  readonly keyFile: string;
  readonly user: string;
  readonly password: string;
  readonly loginMs: number;
}

const escaped = (file: string): string => readFileSync(file, 'utf8').trim().replaceAll('\n', '\\n');

function guardProperties(guard: Guard, ports: { plain: number; tls: number }): Record<string, string | number> {
  const modules = 'org.apache.kafka.common.security';
  const jaas = {
    plain: `${modules}.plain.PlainLoginModule required user_${guard.user}="${guard.password}";`,
    'scram-sha-256': `${modules}.scram.ScramLoginModule required;`,
    'scram-sha-512': `${modules}.scram.ScramLoginModule required;`,
  };
  const properties: Record<string, string | number> = {
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'connections.max.reauth.ms': guard.loginMs,
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.certificate.chain': escaped(guard.certFile),
    'ssl.keystore.key': escaped(guard.keyFile),
    guarded: `GUARDED://127.0.0.1:${ports.plain},GUARDEDTLS://127.0.0.1:${ports.tls}`,
  };
  for (const listener of ['guarded', 'guardedtls'])
    for (const [mechanism, config] of Object.entries(jaas))
      properties[`listener.name.${listener}.${mechanism}.sasl.jaas.config`] = config;
  return properties;
}

/** Starts Kafka in an empty folder; `flush` syncs each append before its acknowledgement, as our `sync` does. */
export async function startKafka(
  folder: string,
  options: { flush?: 'sync' | 'async'; heap?: string; guard?: Guard } = {},
): Promise<{
  server: ServerProcess;
  bootstrap: string;
  startedInMs: number;
  guarded?: { plain: string; tls: string };
}> {
  const classpath = await peerClasspath('kafka');
  const [port, controllerPort, plain, tls] = (await freePorts(4)) as [number, number, number, number];
  const { guarded, ...guard } = options.guard ? guardProperties(options.guard, { plain, tls }) : { guarded: '' };
  const more = guarded === '' ? '' : `,${guarded}`;
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}${more}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}${more}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map':
      'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,GUARDED:SASL_PLAINTEXT,GUARDEDTLS:SASL_SSL',
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
    ...guard,
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
  const began = performance.now();
  const server = new ServerProcess(
    'kafka',
    'java',
    [`-Xmx${options.heap ?? '1g'}`, LOG_LEVEL, '-cp', classpath, 'kafka.Kafka', file],
    { logFile: join(folder, 'kafka.log') },
  );
  await server.ready(() => isListening(port), 60_000);
  return {
    server,
    bootstrap: `127.0.0.1:${port}`,
    startedInMs: performance.now() - began,
    ...(options.guard ? { guarded: { plain: `127.0.0.1:${plain}`, tls: `127.0.0.1:${tls}` } } : {}),
  };
}
