/**
 * Long work in slices: snapshots, index files, cleaning. A job is a generator that yields often; it goes on for a few
 * milliseconds per turn. Yielding a file or directory means: make it durable off the loop, then go on. Jobs run one after the other.
 */
import type { Clock } from '../types.ts';
import type { Syncable } from './disk.ts';

export type Job = Generator<Syncable | undefined, void, void>;

const SLICE_MS = 3;
const PAUSE_MS = 1;

export class Jobs {
  private readonly clock: Clock;
  private readonly stepsMax: number;
  private readonly queue: { job: Job; done: (error: unknown) => void }[] = [];
  private running = false;
  private stopped = false;

  /** `stepsMax`: go on for so many steps instead of so many milliseconds, where a run must be the same each time. */
  constructor(clock: Clock, stepsMax = 0) {
    this.clock = clock;
    this.stepsMax = stepsMax;
  }

  get idle(): boolean {
    return !this.running && this.queue.length === 0;
  }

  /** `done` gets null, or what the job threw. */
  add(job: Job, done: (error: unknown) => void): void {
    this.queue.push({ job, done });
    if (!this.running) {
      this.running = true;
      this.clock.setTimer(0, this.slice);
    }
  }

  /** Forgets what is waiting; a job that runs is not resumed. */
  stop(): void {
    this.stopped = true;
    this.queue.length = 0;
  }

  private readonly slice = (): void => {
    if (this.stopped) return;
    const started = performance.now();
    let steps = 0;
    while (this.queue.length > 0) {
      const { job, done } = this.queue[0]!;
      let step: IteratorResult<Syncable | undefined, void>;
      try {
        step = job.next();
      } catch (error) {
        this.queue.shift();
        done(error);
        continue;
      }
      if (step.done === true) {
        this.queue.shift();
        done(null);
      } else if (step.value !== undefined) {
        step.value.syncAsync((error) => {
          if (error === null) return this.slice();
          this.queue.shift();
          abandon(job, error);
          done(error);
          this.slice();
        });
        return;
      }
      steps++;
      if (this.stepsMax > 0 ? steps >= this.stepsMax : performance.now() - started > SLICE_MS) {
        this.clock.setTimer(PAUSE_MS, this.slice);
        return;
      }
    }
    this.running = false;
  };
}

/** Lets the job close what it has open. */
function abandon(job: Job, error: unknown): void {
  try {
    job.throw(error);
  } catch (thrown) {
    if (thrown !== error) throw thrown;
  }
}

/** Runs a job to its end on the spot: at recovery and at shutdown, when nobody waits. */
export function finishJob(job: Job): void {
  for (let step = job.next(); step.done !== true; step = job.next()) step.value?.sync();
}
