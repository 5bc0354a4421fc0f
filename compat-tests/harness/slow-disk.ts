// A disk whose syncs are slow, as a process sees it: see slow-syncs.ts.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PRELOAD = fileURLToPath(new URL('./slow-syncs.ts', import.meta.url));

export class SlowDisk {
  readonly #file: string;

  /** The file is this disk's own. */
  constructor(file: string) {
    this.#file = file;
    writeFileSync(file, '0 0');
    writeFileSync(`${file}.count`, '');
  }

  /** What the environment of the process has to say. */
  get environment(): Record<string, string> {
    return { COMPAT_SLOW_SYNCS: this.#file, NODE_OPTIONS: `--import=${PRELOAD}` };
  }

  /** From now on a sync takes longer by so much. */
  delay(fromMs: number, toMs: number): void {
    writeFileSync(this.#file, `${fromMs} ${toMs}`);
  }

  /** Syncs that have ended. */
  get syncs(): number {
    return readFileSync(`${this.#file}.count`).length;
  }
}
