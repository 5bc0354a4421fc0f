// The three servers that are measured, each in an empty folder on the same disk, one at a time: Apache's name server and
// broker, RosettaMQ, and the null server.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, isListening, ServerProcess } from '../../harness/process.ts';
import { cpuSeconds, residentBytes } from '../../harness/process-stat.ts';
import { Product } from '../../harness/product.ts';
import { scratch } from '../../harness/work.ts';
import { hasBroker } from '../../peers/rocketmq/registered.ts';
import { startRocketmq } from '../../peers/rocketmq/rocketmq.ts';

export type ServerName = 'apache' | 'rosettamq' | 'null';
export type Flush = 'async' | 'sync';

export interface Server {
  readonly name: ServerName;
  readonly namesrv: string;
  /** From the start of the first process until a client can send. */
  readonly startedInMs: number;
  /** Resident bytes of all its processes. */
  residentBytes(): number;
  /** Seconds of processor time of all its processes so far. */
  cpuSeconds(): number;
  stop(): Promise<void>;
}

const sum = (pids: readonly number[], of: (pid: number) => number): number =>
  pids.reduce((all, pid) => all + of(pid), 0);

export async function startServer(name: ServerName, flush: Flush): Promise<Server> {
  const began = performance.now();
  const folder = scratch(`bench-${name}`);
  const made = await start[name](folder, flush);
  return {
    name,
    namesrv: made.namesrv,
    startedInMs: performance.now() - began,
    residentBytes: () => sum(made.pids, residentBytes),
    cpuSeconds: () => sum(made.pids, cpuSeconds),
    async stop() {
      await made.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Started {
  readonly namesrv: string;
  readonly pids: readonly number[];
  stop(): Promise<unknown>;
}

const start: Record<ServerName, (folder: string, flush: Flush) => Promise<Started>> = {
  async apache(folder, flush) {
    const { namesrv, broker, address } = await startRocketmq(folder, { flush });
    return {
      namesrv: address,
      pids: [namesrv.pid, broker.pid],
      stop: async () => [await broker.stop(), await namesrv.stop()],
    };
  },
  async rosettamq(folder, flush) {
    // The sizes of an installation, not those of the suites.
    const settings = { 'store.segmentBytes': 256 * 1024 * 1024, 'store.reserveBytes': 64 * 1024 * 1024 };
    const product = await Product.start('bench', { dataDir: join(folder, 'data'), flush, settings });
    await product.server.ready(() => hasBroker(product.endpoints.rocketmq), 10_000);
    return {
      namesrv: product.endpoints.rocketmq,
      pids: [product.server.pid],
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
    return { namesrv: `127.0.0.1:${port}`, pids: [server.pid], stop: () => server.stop() };
  },
};
