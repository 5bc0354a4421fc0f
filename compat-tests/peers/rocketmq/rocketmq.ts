// Apache RocketMQ on loopback: a name server and one broker, for oracles and benchmarks.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CertificateFiles } from '../../harness/certificate.ts';
import { freePorts, isListening, ServerProcess } from '../../harness/process.ts';
import { peerClasspath } from '../../harness/toolchain.ts';
import { execute } from '../../harness/work.ts';
import { hasBroker } from './registered.ts';

/** The broker takes its port, port - 2 (fast) and port + 1 (high availability): three in a row must be free. */
export async function brokerPort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const [port] = (await freePorts(1)) as [number];
    const around = await Promise.all([port - 2, port - 1, port + 1].map(isListening));
    if (port > 1_026 && port < 65_534 && !around.some(Boolean)) return port;
  }
  throw new Error('no four free ports in a row');
}

interface Started {
  readonly namesrv: ServerProcess;
  readonly broker: ServerProcess;
  readonly address: string;
}
interface Options {
  readonly flush?: 'sync' | 'async';
  readonly settings?: Record<string, string | number | boolean>;
  /** TLS beside plain text on every port; without it they have only plain text. */
  readonly tls?: CertificateFiles;
}

/**
 * Starts both in an empty folder; `flush` as our topics' attribute of that name, `settings` as in broker.conf. A port that
 * was free may be taken by the time the broker gets to it, so it is tried again with others.
 */
export async function startRocketmq(folder: string, options: Options = {}): Promise<Started> {
  for (let attempt = 1; ; attempt++) {
    const started: ServerProcess[] = [];
    try {
      return await start(attempt === 1 ? folder : join(folder, `attempt-${attempt}`), options, started);
    } catch (error) {
      for (const one of started.toReversed()) await one.stop();
      if (attempt === 3) throw error;
    }
  }
}

async function start(folder: string, options: Options, started: ServerProcess[]): Promise<Started> {
  const classpath = await peerClasspath('rocketmq');
  const [namesrvPort] = (await freePorts(1)) as [number];
  const port = await brokerPort();
  mkdirSync(join(folder, 'conf'), { recursive: true });
  const env = { ...process.env, ROCKETMQ_HOME: folder };
  const opens = [
    '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
    '--add-exports=java.base/sun.nio.ch=ALL-UNNAMED',
    '--add-opens=java.base/java.nio=ALL-UNNAMED',
    `-Duser.home=${folder}`,
  ];
  const { tls } = options;
  if (tls !== undefined) {
    opens.push('-Dtls.test.mode.enable=false', '-Dtls.server.mode=permissive');
    opens.push(`-Dtls.server.certPath=${tls.certFile}`, `-Dtls.server.keyPath=${tls.keyFile}`);
  }
  const namesrvConf = join(folder, 'namesrv.conf');
  writeFileSync(namesrvConf, `listenPort=${namesrvPort}\n`);
  const namesrv = new ServerProcess(
    'namesrv',
    'java',
    ['-Xmx256m', ...opens, '-cp', classpath, 'org.apache.rocketmq.namesrv.NamesrvStartup', '-c', namesrvConf],
    { env, logFile: join(folder, 'namesrv.log') },
  );
  started.push(namesrv);
  await namesrv.ready(() => isListening(namesrvPort), 60_000);
  const address = `127.0.0.1:${namesrvPort}`;
  const conf = {
    brokerIP1: '127.0.0.1',
    brokerName: 'peer',
    brokerClusterName: 'peers',
    listenPort: port,
    storePathRootDir: join(folder, 'store'),
    storePathCommitLog: join(folder, 'store/commitlog'),
    mappedFileSizeCommitLog: 104_857_600,
    autoCreateTopicEnable: true,
    flushDiskType: options.flush === 'sync' ? 'SYNC_FLUSH' : 'ASYNC_FLUSH',
    diskMaxUsedSpaceRatio: 95,
    ...options.settings,
  };
  const brokerConf = join(folder, 'broker.conf');
  writeFileSync(
    brokerConf,
    Object.entries(conf)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  const broker = new ServerProcess(
    'broker',
    'java',
    [
      '-Xmx1g',
      '-XX:MaxDirectMemorySize=1g',
      ...opens,
      '-cp',
      classpath,
      'org.apache.rocketmq.broker.BrokerStartup',
      '-n',
      address,
      '-c',
      brokerConf,
    ],
    { env, logFile: join(folder, 'broker.log') },
  );
  started.push(broker);
  await broker.ready(() => isListening(port), 60_000);
  await broker.ready(() => hasBroker(address), 60_000);
  return { namesrv, broker, address };
}

export async function rocketmqTopic(address: string, topic: string, queues: number): Promise<void> {
  await execute('java', [
    '-cp',
    await peerClasspath('rocketmq'),
    'org.apache.rocketmq.tools.command.MQAdminStartup',
    'updateTopic',
    '-n',
    address,
    '-c',
    'peers',
    '-t',
    topic,
    '-r',
    String(queues),
    '-w',
    String(queues),
  ]);
}
