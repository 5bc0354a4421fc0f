// Installs what the suites need from the project's own pinned lists: Java clients and peers (Maven poms), Python clients
// (requirements.txt into a virtual environment), Debian packages when a command is missing and we are root.
// Each answer is computed once per process and cached on disk by the hash of its list.
import { copyFileSync, readdirSync } from 'node:fs';
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

/** The jars of a pom, fetched once. */
export const jars = (name: string, pom: string): Promise<string> =>
  fetched(name, pom, 'copy-dependencies', '-DincludeScope=runtime');

/** The content of the archives of a pom, fetched and unpacked once. */
export const unpacked = (name: string, pom: string): Promise<string> => fetched(name, pom, 'unpack-dependencies');

async function fetched(name: string, pom: string, goal: string, ...settings: string[]): Promise<string> {
  await ensureCommand('java');
  await ensureCommand('mvn');
  return builtOnce(name, [pom], async (into) => {
    const args = [`dependency:${goal}`, ...settings, `-DoutputDirectory=${into}`];
    await execute('mvn', ['-q', '-B', '-f', pom, ...args]);
  });
}

/** Compiles the Java sources of folders against jars; the class path of the result. */
export async function compiled(name: string, folders: string[], libraries: string, inputs: string[]): Promise<string> {
  await ensureCommand('javac');
  const sources = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.java'))
      .sort()
      .map((file) => join(folder, file)),
  );
  const classes = await builtOnce(name, [...inputs, ...sources], async (into) => {
    await execute('javac', ['-nowarn', '-Xlint:none', '-d', into, '-cp', `${libraries}/*`, ...sources]);
  });
  return [classes, `${libraries}/*`].join(delimiter);
}

/** The program of a folder with Go sources, go.mod and go.sum. */
export async function goProgram(name: string, folder: string): Promise<string> {
  if (!(await isInstalled('go'))) throw new Unavailable('go is missing');
  const files = readdirSync(folder).sort();
  const inputs = files.map((file) => join(folder, file));
  const built = await builtOnce(name, inputs, async (into) => {
    for (const file of files) copyFileSync(join(folder, file), join(into, file));
    await execute('go', ['build', '-trimpath', '-o', 'driver', '.'], { cwd: into }).catch((cause: unknown) => {
      throw new Unavailable(`the Go driver cannot be built: ${String(cause).slice(0, 300)}`, { cause });
    });
  });
  return join(built, 'driver');
}

/** The class path of the Java driver, its clients fetched and its sources compiled. */
export async function javaDriverClasspath(): Promise<string> {
  const pom = join(COMPAT, 'java/pom.xml');
  return compiled('java-driver', [join(COMPAT, 'java/src/main/java/compat')], await jars('java-clients', pom), [pom]);
}

/** The class path of a real broker, for the oracles. */
export async function peerClasspath(peer: 'kafka' | 'rocketmq'): Promise<string> {
  return `${await jars(`peer-${peer}`, join(COMPAT, 'peers', peer, 'pom.xml'))}/*`;
}

/** A Python that has the packages of a list with pinned hashes. */
export async function pythonWith(name: string, list: string): Promise<string> {
  await ensureCommand('python3');
  const environment = await builtOnce(name, [list], async (into) => {
    await execute('python3', ['-m', 'venv', into]);
    await execute(join(into, 'bin/python'), ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', '-r', list]);
  });
  return join(environment, 'bin/python');
}

/** The Python that has the pinned clients. */
export function python(): Promise<string> {
  return pythonWith('python', join(COMPAT, 'drivers/requirements.txt'));
}

/** The node_modules of a folder with package.json and package-lock.json. */
export async function nodePackages(name: string, folder: string): Promise<string> {
  const files = ['package.json', 'package-lock.json'];
  const inputs = files.map((file) => join(folder, file));
  const built = await builtOnce(name, inputs, async (into) => {
    for (const file of files) copyFileSync(join(folder, file), join(into, file));
    await execute('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: into });
  });
  return join(built, 'node_modules');
}
