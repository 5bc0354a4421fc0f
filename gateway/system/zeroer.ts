// This side of the thread that writes zeros. Invariants: each job gets exactly one call, also when the thread dies; after
// `await` no job that was given before writes any more; a descriptor is not closed while a job for it is under way
// (DiskFile sees to that), as the system would give its number to another file.
import { Worker } from 'node:worker_threads';
import type { ZeroJob } from './zero-thread.ts';

const EIO = 5;
/** A thread that is silent for so long is not writing slowly: a job is a megabyte. */
const SILENT_MS_MAX = 60_000;

export class Zeroer {
  readonly #done = new Int32Array(new SharedArrayBuffer(4));
  readonly #worker: Worker;
  /** Not yet told, oldest first. */
  readonly #pending: ((errno: number) => void)[] = [];
  #given = 0;
  #isDead = false;

  constructor() {
    this.#worker = new Worker(new URL('./zero-thread.ts', import.meta.url), {
      workerData: this.#done.buffer,
      name: 'rosettamq-zero',
      stdin: false,
      resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16 },
    });
    this.#worker.unref();
    this.#worker.on('message', (errno: number) => this.#pending.shift()?.(errno));
    this.#worker.on('error', () => this.#died());
    this.#worker.on('exit', () => this.#died());
  }

  /** The system's error number or 0. */
  request(job: ZeroJob, done: (errno: number) => void): void {
    if (this.#isDead) {
      setImmediate(done, EIO);
      return;
    }
    this.#given++;
    this.#pending.push(done);
    this.#worker.postMessage(job);
  }

  /** Blocks until all jobs so far are done. False when the thread gave no sign of life. */
  await(): boolean {
    for (let done = Atomics.load(this.#done, 0); done !== this.#given; done = Atomics.load(this.#done, 0)) {
      if (this.#isDead) return true;
      if (Atomics.wait(this.#done, 0, done, SILENT_MS_MAX) === 'timed-out') return false;
    }
    return true;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #died(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    for (const done of this.#pending.splice(0)) done(EIO);
  }
}
