// Waiting for what a broker or client does by itself.
import { setTimeout as sleep } from 'node:timers/promises';

export { sleep };

/** Asks until the answer is yes; a failing probe is a no. */
export async function until(what: string, probe: () => Promise<boolean>, waitMs = 30_000): Promise<void> {
  const deadline = Date.now() + waitMs;
  let last: unknown = 'the answer stayed no';
  while (Date.now() < deadline) {
    if (
      await probe().catch((error: unknown) => {
        last = error;
        return false;
      })
    )
      return;
    await sleep(200);
  }
  throw new Error(`${what}: not within ${waitMs} ms`, { cause: last });
}
