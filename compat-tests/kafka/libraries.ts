// Fetches and builds Kafka's client libraries from the lists in java/, go/, python/ and node/, once per content of those
// lists, and says how a driver of each is started.
import { join } from 'node:path';
import { compiled, goProgram, jars, nodePackages, pythonWith, Unavailable } from '../harness/toolchain.ts';
import { COMPAT, work } from '../harness/work.ts';
import type { Library } from './client.ts';

const here = import.meta.dirname;

/** The class path of the Java driver with this version of the client. */
async function javaClasspath(version: '3' | '4'): Promise<string> {
  const pom = join(here, 'java', `pom-${version}.xml`);
  const libraries = await jars(`kafka-client-${version}`, pom);
  const sources = [join(COMPAT, 'harness/java'), join(here, 'java/src')];
  return compiled(`kafka-driver-${version}`, sources, libraries, [pom]);
}

const JVM = [
  '-Xmx256m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
];
const PYTHON: Partial<Record<Library, string>> = { librdkafka: 'librdkafka.py', 'kafka-python': 'kafka_python.py' };

/** The command that serves a library's verbs; the broker's address is to be added. */
export async function commandOf(library: Library): Promise<[string, string[]]> {
  switch (library) {
    case 'java-3':
    case 'java-4':
      return [
        'java',
        [...JVM, `-Duser.home=${work('home')}`, '-cp', await javaClasspath(library === 'java-3' ? '3' : '4'), 'Driver'],
      ];
    case 'franz':
    case 'sarama':
      return [await goProgram('kafka-driver-go', join(here, 'go')), [library]];
    case 'librdkafka':
    case 'kafka-python':
      return [
        await pythonWith('kafka-python', join(here, 'python/requirements.txt')),
        [join(here, 'python', PYTHON[library]!)],
      ];
    case 'platformatic':
      return [
        process.execPath,
        [join(here, 'node/platformatic.ts'), await nodePackages('kafka-node', join(here, 'node/packages'))],
      ];
    case 'kafkajs':
      return [process.execPath, [join(here, 'node/kafkajs.ts')]];
  }
}

/** Why this machine cannot have a library; false when it can. */
export async function whyMissing(library: Library): Promise<string | false> {
  return commandOf(library).then(
    () => false,
    (reason: unknown) => {
      if (reason instanceof Unavailable) return reason.message;
      throw reason;
    },
  );
}
