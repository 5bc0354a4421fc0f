// The thread that does nothing but fdatasync, so that an acknowledgement never queues behind cold reads, compression or
// password hashing in the thread pool.
//
// Requests come through a ring in shared memory: the thread sleeps in Atomics.wait and wakes within microseconds, where
// a message would first have to travel through its event loop. Answers go back as messages, one number each (the errno, or
// minus the microseconds that the sync took), in the order of the requests.
import { isMainThread, parentPort, workerData } from 'node:worker_threads';

/** Slots of the ring of descriptors; a request beyond them waits in the caller's queue. */
export const RING_SLOTS = 256;
/** Layout of the shared words: requests made, requests taken, then the ring. */
export const WORD = { made: 0, taken: 1, ring: 2 } as const;
/** In place of a descriptor: end the thread. */
export const STOP = -1;

if (!isMainThread && parentPort !== null && workerData instanceof SharedArrayBuffer) {
  const { fdatasyncSync } = await import('node:fs');
  const words = new Int32Array(workerData);
  serve(words, fdatasyncSync, (number) => parentPort!.postMessage(number));
}

function serve(words: Int32Array, fdatasync: (fd: number) => void, answer: (number: number) => void): void {
  for (;;) {
    const taken = Atomics.load(words, WORD.taken);
    Atomics.wait(words, WORD.made, taken);
    if (Atomics.load(words, WORD.made) === taken) continue;
    const fd = Atomics.load(words, WORD.ring + (taken & (RING_SLOTS - 1)));
    Atomics.store(words, WORD.taken, (taken + 1) | 0);
    if (fd === STOP) return;
    const started = performance.now();
    try {
      fdatasync(fd);
      answer(-Math.ceil((performance.now() - started) * 1000));
    } catch (error) {
      // Node's errno is negative.
      answer(-((error as NodeJS.ErrnoException).errno ?? -5));
    }
  }
}
