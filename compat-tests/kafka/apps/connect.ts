// Kafka Connect as a process, in its standalone or its distributed form, with its REST interface on loopback.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, ServerProcess } from '../../harness/process.ts';
import { jars } from '../../harness/toolchain.ts';
import { work } from '../../harness/work.ts';

type Properties = Record<string, string | number>;

const MAIN = {
  standalone: 'org.apache.kafka.connect.cli.ConnectStandalone',
  distributed: 'org.apache.kafka.connect.cli.ConnectDistributed',
};
const JVM = [
  '-Xmx256m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
];
const BYTES = 'org.apache.kafka.connect.converters.ByteArrayConverter';
const READY_WAIT_MS = 60_000;

/** The jars of Connect, its file connectors and MirrorMaker. */
export const connectJars = (): Promise<string> => jars('kafka-apps', join(import.meta.dirname, 'pom.xml'));

export interface Connect {
  readonly server: ServerProcess;
  readonly rest: string;
}

/** MirrorMaker 2 as a process of its own, with Connect inside. */
export async function startMirrorMaker(folder: string, settings: Properties): Promise<ServerProcess> {
  const libraries = await connectJars();
  const file = written(join(folder, 'mirror.properties'), settings);
  const main = 'org.apache.kafka.connect.mirror.MirrorMaker';
  const args = [...JVM, `-Duser.home=${work('home')}`, '-cp', `${libraries}/*`, main, file];
  return new ServerProcess('mirror maker', 'java', args, { logFile: join(folder, 'mirror.log') });
}

const written = (file: string, properties: Properties): string => {
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(file, lines.join(''));
  return file;
};

/** Starts a worker in a folder and waits until it answers; connectors are for the standalone form. */
export async function startConnect(
  form: keyof typeof MAIN,
  folder: string,
  bootstrap: string,
  settings: Properties,
  connectors: Readonly<Record<string, Properties>> = {},
): Promise<Connect> {
  const libraries = await connectJars();
  const [port] = (await freePorts(1)) as [number];
  const worker: Properties = {
    'bootstrap.servers': bootstrap,
    'key.converter': BYTES,
    'value.converter': BYTES,
    'header.converter': BYTES,
    listeners: `http://127.0.0.1:${port}`,
    'offset.flush.interval.ms': 500,
    'plugin.path': libraries,
    'plugin.discovery': 'service_load',
    ...settings,
  };
  const files = [
    written(join(folder, `${form}.properties`), worker),
    ...Object.entries(connectors).map(([name, properties]) =>
      written(join(folder, `${name}.properties`), { name, ...properties }),
    ),
  ];
  const args = [...JVM, `-Duser.home=${work('home')}`, '-cp', `${libraries}/*`, MAIN[form], ...files];
  const server = new ServerProcess('connect', 'java', args, { logFile: join(folder, 'connect.log') });
  const rest = `http://127.0.0.1:${port}`;
  await server.ready(async () => (await fetch(`${rest}/connectors`)).ok, READY_WAIT_MS);
  return { server, rest };
}
