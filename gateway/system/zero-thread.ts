// The thread that writes zeros into segments to come: what costs there is the system's making of new pages, and it is no
// work for the loop. Jobs come as messages and are done in their order; the count of those done stands in a shared word,
// so that the other side can also wait for it without its loop.
import { isMainThread, parentPort, workerData } from 'node:worker_threads';

/** Larger pieces make later small writes into the same pages dearer. */
const PIECE_BYTES = 64 * 1024;

export interface ZeroJob {
  readonly fd: number;
  readonly from: number;
  readonly to: number;
}

if (!isMainThread && parentPort !== null && workerData instanceof SharedArrayBuffer) {
  const { writeSync } = await import('node:fs');
  const done = new Int32Array(workerData);
  const zeros = Buffer.alloc(PIECE_BYTES);
  const port = parentPort;
  port.on('message', ({ fd, from, to }: ZeroJob) => {
    let errno = 0;
    try {
      for (let at = from; at < to; ) at += writeSync(fd, zeros, 0, Math.min(PIECE_BYTES, to - at), at);
    } catch (error) {
      // Node's errno is negative.
      errno = -((error as NodeJS.ErrnoException).errno ?? -5);
    }
    Atomics.add(done, 0, 1);
    Atomics.notify(done, 0);
    port.postMessage(errno);
  });
}
