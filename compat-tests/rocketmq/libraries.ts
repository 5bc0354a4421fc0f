// Fetches and builds the client libraries from the lists in java/ and go/, once per content of those lists.
import { join } from 'node:path';
import { compiled, goProgram, jars } from '../harness/toolchain.ts';
import { COMPAT, work } from '../harness/work.ts';
import type { Library } from './client.ts';

const here = import.meta.dirname;

/** The class path of the Java driver with this version of the client. */
export async function javaClasspath(version: '4.9' | '5'): Promise<string> {
  const pom = join(here, 'java', `pom-${version}.xml`);
  return compiled(
    `rocketmq-driver-${version}`,
    [join(COMPAT, 'harness/java'), join(here, 'java/src')],
    await jars(`rocketmq-client-${version}`, pom),
    [pom],
  );
}

export const goDriver = (): Promise<string> => goProgram('rocketmq-driver-go', join(here, 'go'));

const JVM = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

const javaCommand = (classpath: string, main: string): [string, string[]] => {
  const home = work('home', 'x', '..');
  const quiet = [`-Duser.home=${home}`, '-Drocketmq.client.logLevel=WARN', `-Drocketmq.client.logRoot=${work('logs')}`];
  return ['java', [...JVM, ...quiet, '-cp', classpath, main]];
};

export async function commandOf(library: Library): Promise<[string, string[]]> {
  if (library === 'go') return [await goDriver(), []];
  return javaCommand(await javaClasspath(library === 'java-5' ? '5' : '4.9'), 'Driver');
}

/** One of the classes of Apache's rocketmq-example, as it was published. */
export async function exampleCommand(name: string): Promise<[string, string[]]> {
  const libraries = await jars('rocketmq-examples', join(here, 'java/pom-examples.xml'));
  return javaCommand(`${libraries}/*`, `org.apache.rocketmq.example.${name}`);
}
