// Fetches and builds the client libraries from the lists in java/ and go/, once per content of those lists.
import { copyFileSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ensureCommand, isInstalled, Unavailable } from '../harness/toolchain.ts';
import { builtOnce, execute, work } from '../harness/work.ts';
import type { Library } from './client.ts';

const here = import.meta.dirname;

/** The jars of a pom; built once. */
export async function jars(name: string, pom: string): Promise<string> {
  await ensureCommand('java');
  await ensureCommand('mvn');
  return builtOnce(name, [pom], async (into) => {
    const args = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${into}`];
    await execute('mvn', ['-q', '-B', '-f', pom, ...args]);
  });
}

/** Compiles the Java sources of a folder against jars; the class path of the result. */
export async function compiled(name: string, folder: string, libraries: string, inputs: string[]): Promise<string> {
  await ensureCommand('javac');
  const sources = readdirSync(folder)
    .filter((file) => file.endsWith('.java'))
    .sort()
    .map((file) => join(folder, file));
  const classes = await builtOnce(name, [...inputs, ...sources], async (into) => {
    await execute('javac', ['-nowarn', '-Xlint:none', '-d', into, '-cp', `${libraries}/*`, ...sources]);
  });
  return [classes, `${libraries}/*`].join(delimiter);
}

/** The class path of the Java driver with this version of the client. */
export async function javaClasspath(version: '4.9' | '5'): Promise<string> {
  const pom = join(here, 'java', `pom-${version}.xml`);
  return compiled(`rocketmq-driver-${version}`, join(here, 'java/src'), await jars(`rocketmq-client-${version}`, pom), [
    pom,
  ]);
}

export async function goDriver(): Promise<string> {
  if (!(await isInstalled('go'))) throw new Unavailable('go is missing');
  const folder = join(here, 'go');
  const files = readdirSync(folder).sort();
  const built = await builtOnce(
    'rocketmq-driver-go',
    files.map((file) => join(folder, file)),
    async (into) => {
      for (const file of files) copyFileSync(join(folder, file), join(into, file));
      await execute('go', ['build', '-trimpath', '-o', 'driver', '.'], { cwd: into }).catch((cause: unknown) => {
        throw new Unavailable(`the Go driver cannot be built: ${String(cause).slice(0, 300)}`, { cause });
      });
    },
  );
  return join(built, 'driver');
}

const JVM = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

export async function commandOf(library: Library): Promise<[string, string[]]> {
  if (library === 'go') return [await goDriver(), []];
  const home = work('home', 'x', '..');
  const quiet = [`-Duser.home=${home}`, '-Drocketmq.client.logLevel=WARN', `-Drocketmq.client.logRoot=${work('logs')}`];
  return ['java', [...JVM, ...quiet, '-cp', await javaClasspath(library === 'java-5' ? '5' : '4.9'), 'Driver']];
}
