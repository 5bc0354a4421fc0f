// Debian's RabbitMQ on loopback with a node name, data folder and port mapper of its own, for oracles and benchmarks.
// It asks for its port mapper (epmd) at a port of its own and that is stopped too: a shared one would outlive the suite.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, isListening, ServerProcess } from '../../harness/process.ts';
import { ensureCommand } from '../../harness/toolchain.ts';

export interface RabbitmqOptions {
  readonly plugins?: readonly string[];
  /** Virtual hosts, users and permissions in RabbitMQ's own form; without them there is guest. */
  readonly definitions?: object;
  /** Further lines of rabbitmq.conf. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

export async function startRabbitmq(
  folder: string,
  options: RabbitmqOptions = {},
): Promise<{ servers: ServerProcess[]; url: string }> {
  await ensureCommand('rabbitmq-server');
  const [port, distPort, mapperPort] = (await freePorts(3)) as [number, number, number];
  for (const name of ['mnesia', 'log', 'home']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'home/.erlang.cookie'), 'compat');
  chmodSync(join(folder, 'home/.erlang.cookie'), 0o400);
  writeFileSync(join(folder, 'enabled_plugins'), `[${(options.plugins ?? []).join(',')}].\n`);
  const settings: Record<string, string | number> = { ...options.settings };
  if (options.definitions) {
    writeFileSync(join(folder, 'definitions.json'), JSON.stringify(options.definitions));
    settings['load_definitions'] = join(folder, 'definitions.json');
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  writeFileSync(join(folder, 'rabbitmq.conf'), lines.join(''));
  const env = {
    ...process.env,
    HOME: join(folder, 'home'),
    ERL_EPMD_PORT: String(mapperPort),
    RABBITMQ_NODENAME: `compat${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distPort),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    // Then the script becomes the broker itself, and the process that is stopped or killed is the right one.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
  // The packaged script drops to the user rabbitmq; the one below it runs as whoever starts it.
  const mapper = new ServerProcess('epmd', 'epmd', ['-port', String(mapperPort), '-address', '127.0.0.1'], {
    env,
    logFile: join(folder, 'epmd.log'),
  });
  await mapper.ready(() => isListening(mapperPort), 10_000);
  const server = new ServerProcess('rabbitmq', '/usr/lib/rabbitmq/bin/rabbitmq-server', [], {
    env,
    logFile: join(folder, 'rabbitmq.log'),
  });
  await server.ready(() => isListening(port), 60_000);
  return { servers: [server, mapper], url: `amqp://guest:guest@127.0.0.1:${port}` };
}
