// This side of the sync thread: hands it descriptors, calls back in order. Invariants: each request gets exactly one
// call, also when the thread dies; a descriptor is not closed while a request for it is under way (DiskFile sees to
// that), as the system would give its number to another file.
import { Worker } from 'node:worker_threads';
import { RING_SLOTS, STOP, WORD } from './sync-thread.ts';

const EIO = 5;

export interface SyncRequest {
  readonly fd: number;
  /** The system's error number or 0, and the milliseconds that the sync itself took. */
  synced(errno: number, tookMs: number): void;
}

export class Syncer {
  readonly #words = new Int32Array(new SharedArrayBuffer((WORD.ring + RING_SLOTS) * 4));
  readonly #worker: Worker;
  /** Not yet answered, oldest first; the first `#handedOver` of them are in the ring. */
  readonly #pending: SyncRequest[] = [];
  #handedOver = 0;
  #isDead = false;

  constructor() {
    this.#worker = new Worker(new URL('./sync-thread.ts', import.meta.url), {
      workerData: this.#words.buffer,
      name: 'rosettamq-sync',
      stdin: false,
    });
    this.#worker.unref();
    this.#worker.on('message', (number: number) => this.#answered(number));
    this.#worker.on('error', () => this.#died());
    this.#worker.on('exit', () => this.#died());
  }

  request(request: SyncRequest): void {
    if (this.#isDead) {
      setImmediate(() => request.synced(EIO, 0));
      return;
    }
    // The process must not end before it has answered.
    if (this.#pending.length === 0) this.#worker.ref();
    this.#pending.push(request);
    this.#fillRing();
  }

  /** Ends the thread when all that was asked for is done. */
  stop(): Promise<void> {
    if (this.#isDead) return Promise.resolve();
    return new Promise((resolve) => {
      this.#worker.once('exit', () => resolve());
      this.request({ fd: STOP, synced: () => undefined });
    });
  }

  #fillRing(): void {
    while (this.#handedOver < this.#pending.length) {
      const made = Atomics.load(this.#words, WORD.made);
      if (((made - Atomics.load(this.#words, WORD.taken)) | 0) >= RING_SLOTS) return;
      Atomics.store(this.#words, WORD.ring + (made & (RING_SLOTS - 1)), this.#pending[this.#handedOver]!.fd);
      Atomics.store(this.#words, WORD.made, (made + 1) | 0);
      Atomics.notify(this.#words, WORD.made, 1);
      this.#handedOver++;
    }
  }

  /** An errno, or minus the microseconds of a sync without error. */
  #answered(number: number): void {
    const request = this.#pending.shift()!;
    this.#handedOver--;
    if (this.#pending.length === 0) this.#worker.unref();
    this.#fillRing();
    request.synced(Math.max(number, 0), Math.max(-number, 0) / 1000);
  }

  #died(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    for (const request of this.#pending.splice(0)) request.synced(EIO, 0);
  }
}
