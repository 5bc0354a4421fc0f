// Installs what the suites need from the project's own pinned lists: Java clients and peers (Maven poms), Python clients
// (requirements.txt into a virtual environment), Debian packages when a command is missing and we are root.
// Each answer is computed once per process and cached on disk by the hash of its list.
import { readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { builtOnce, COMPAT, execute } from './work.ts';

/** Thrown when something cannot be had on this machine; the suite is then skipped with this reason. */
export class Unavailable extends Error {}

const PACKAGE_OF: Record<string, string> = {
  java: 'openjdk-17-jdk-headless',
  javac: 'openjdk-17-jdk-headless',
  mvn: 'maven',
  kcat: 'kcat',
  python3: 'python3-venv',
  'rabbitmq-server': 'rabbitmq-server',
  losetup: 'mount',
  'mkfs.ext4': 'e2fsprogs',
};

export async function isInstalled(command: string): Promise<boolean> {
  return execute('sh', ['-c', `command -v ${command}`]).then(
    () => true,
    () => false,
  );
}

/** Makes sure a command exists, installing its Debian package when we may. */
export async function ensureCommand(command: string): Promise<void> {
  if (await isInstalled(command)) return;
  const name = PACKAGE_OF[command] ?? command;
  if (process.getuid?.() !== 0 || !(await isInstalled('apt-get'))) {
    throw new Unavailable(
      `${command} is missing and cannot be installed here (Debian package ${name}, needs root and apt-get)`,
    );
  }
  console.error(`  installing ${name} …`);
  // RUNLEVEL=1 keeps a package's service from being started by its installation (invoke-rc.d).
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  try {
    await execute('apt-get', ['update'], { env });
    await execute('apt-get', ['install', '-y', '--no-install-recommends', name], { env });
  } catch (cause) {
    throw new Unavailable(`installing ${name} failed: ${String(cause).slice(0, 300)}`, { cause });
  }
}

async function mavenLibraries(name: string, pom: string): Promise<string> {
  await ensureCommand('java');
  await ensureCommand('mvn');
  return builtOnce(name, [pom], async (into) => {
    await execute('mvn', [
      '-q',
      '-B',
      '-f',
      pom,
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${into}`,
    ]);
  });
}

/** The class path of the Java driver, its clients fetched and its sources compiled. */
export async function javaDriverClasspath(): Promise<string> {
  const libraries = await mavenLibraries('java-clients', join(COMPAT, 'java/pom.xml'));
  await ensureCommand('javac');
  const folder = join(COMPAT, 'java/src/main/java/compat');
  const sources = readdirSync(folder)
    .sort()
    .map((file) => join(folder, file));
  const classes = await builtOnce('java-driver', [join(COMPAT, 'java/pom.xml'), ...sources], async (into) => {
    await execute('javac', ['-nowarn', '-Xlint:none', '-d', into, '-cp', `${libraries}/*`, ...sources]);
  });
  return [classes, `${libraries}/*`].join(delimiter);
}

/** The class path of a real broker, for the oracles. */
export async function peerClasspath(peer: 'kafka' | 'rocketmq'): Promise<string> {
  return `${await mavenLibraries(`peer-${peer}`, join(COMPAT, 'peers', peer, 'pom.xml'))}/*`;
}

/** The Python that has the pinned clients. */
export async function python(): Promise<string> {
  await ensureCommand('python3');
  const list = join(COMPAT, 'drivers/requirements.txt');
  const environment = await builtOnce('python', [list], async (into) => {
    await execute('python3', ['-m', 'venv', into]);
    await execute(join(into, 'bin/python'), ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', '-r', list]);
  });
  return join(environment, 'bin/python');
}
