// The servers that are measured, each in an empty folder on the same disk, one at a time: RabbitMQ, RosettaMQ, and the null
// server.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, isListening, ServerProcess } from '../../harness/process.ts';
import { residentBytes } from '../../harness/process-stat.ts';
import { Product } from '../../harness/product.ts';
import { scratch } from '../../harness/work.ts';
import { startRabbitmq } from '../../peers/rabbitmq/rabbitmq.ts';

export type ServerName = 'rabbitmq' | 'rosettamq' | 'null';

export interface Server {
  readonly url: string;
  residentBytes(): number;
  stop(): Promise<void>;
}

/** The sizes of an installation, not those of the suites. */
const SETTINGS = { 'store.segmentBytes': 256 * 1024 * 1024, 'store.reserveBytes': 64 * 1024 * 1024 };

const start: Record<ServerName, (folder: string) => Promise<{ url: string; pid: number; stop(): Promise<unknown> }>> = {
  async rabbitmq(folder) {
    mkdirSync(join(folder, 'rabbitmq'));
    // On a small machine its alarm would stop publishers while a million waits.
    const settings = { 'vm_memory_high_watermark.relative': 0.8, 'disk_free_limit.absolute': '100MB' };
    const { servers, url } = await startRabbitmq(join(folder, 'rabbitmq'), { settings });
    return {
      url,
      pid: servers[0]!.pid,
      async stop() {
        for (const server of servers) await server.stop();
      },
    };
  },
  async rosettamq(folder) {
    const product = await Product.start('bench-amqp', {
      dataDir: join(folder, 'data'),
      flush: 'async',
      settings: SETTINGS,
    });
    return {
      url: product.endpoints.amqp,
      pid: product.server.pid,
      async stop() {
        await product.stop();
        rmSync(product.folder, { recursive: true, force: true });
      },
    };
  },
  async null(folder) {
    const [port] = (await freePorts(1)) as [number];
    const args = ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'null-server.ts'), String(port)];
    const server = new ServerProcess('null server', process.execPath, args, { logFile: join(folder, 'null.log') });
    await server.ready(() => isListening(port), 10_000);
    return { url: `amqp://guest:guest@127.0.0.1:${port}`, pid: server.pid, stop: () => server.stop() };
  },
};

export async function withServer(name: ServerName, body: (server: Server) => Promise<void>): Promise<void> {
  const folder = scratch(`bench-amqp-${name}`);
  const started = await start[name](folder);
  const server: Server = {
    url: started.url,
    residentBytes: () => residentBytes(started.pid),
    async stop() {
      await started.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await body(server);
  } finally {
    await server.stop();
  }
}
