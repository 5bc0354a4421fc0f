// The servers that are measured, each in an empty folder on the same disk, one at a time: Apache Kafka, RosettaMQ, and one
// that stores nothing.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, isListening, ServerProcess } from '../../harness/process.ts';
import { cpuSeconds, residentBytes } from '../../harness/process-stat.ts';
import { Product } from '../../harness/product.ts';
import { scratch } from '../../harness/work.ts';
import { startKafka } from '../../peers/kafka/kafka.ts';

export type ServerName = 'apache' | 'rosettamq' | 'null';
export type Flush = 'async' | 'sync';

export interface Server {
  readonly name: ServerName;
  readonly bootstrap: string;
  /** From the start of the process until a client can connect. */
  readonly startedInMs: number;
  residentBytes(): number;
  cpuSeconds(): number;
}

interface Started {
  readonly bootstrap: string;
  readonly pid: number;
  readonly startedInMs: number;
  stop(): Promise<unknown>;
}

const start: Record<ServerName, (folder: string, flush: Flush) => Promise<Started>> = {
  async apache(folder, flush) {
    const { server, bootstrap, startedInMs } = await startKafka(folder, { flush, heap: '1g' });
    return { bootstrap, pid: server.pid, startedInMs, stop: () => server.stop() };
  },
  async rosettamq(folder, flush) {
    // The sizes of an installation, not those of the suites.
    const settings = { 'store.segmentBytes': 256 * 1024 * 1024, 'store.reserveBytes': 64 * 1024 * 1024 };
    const product = await Product.start('bench', { dataDir: join(folder, 'data'), flush, settings });
    return {
      bootstrap: product.endpoints.kafka,
      pid: product.server.pid,
      startedInMs: product.startedInMs,
      async stop() {
        await product.stop();
        rmSync(product.folder, { recursive: true, force: true });
      },
    };
  },
  async null(folder) {
    const [port] = (await freePorts(1)) as [number];
    const file = join(import.meta.dirname, 'null-server.ts');
    const args = ['--disable-warning=ExperimentalWarning', file, String(port)];
    const server = new ServerProcess('null server', process.execPath, args, { logFile: join(folder, 'null.log') });
    await server.ready(() => isListening(port), 10_000);
    return { bootstrap: `127.0.0.1:${port}`, pid: server.pid, startedInMs: 0, stop: () => server.stop() };
  },
};

export async function withServer<T>(name: ServerName, flush: Flush, body: (server: Server) => Promise<T>): Promise<T> {
  const folder = scratch(`bench-${name}`);
  const { bootstrap, pid, startedInMs, stop } = await start[name](folder, flush);
  try {
    // The server is stopped behind its body, not beside it.
    const result = await body({
      name,
      bootstrap,
      startedInMs,
      residentBytes: () => residentBytes(pid),
      cpuSeconds: () => cpuSeconds(pid),
    });
    return result;
  } finally {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
