// The Node side of a driver: reads commands, runs the verb, writes the reply. Ends when stdin ends. A client library's
// stray rejection is reported on stderr and does not end the driver: that the library survives is the suite's to check.
import { createInterface } from 'node:readline';
import type { DriverFailure, Endpoints, SentMessage } from './driver.ts';

/** What a command may carry; which of it a verb needs is said in driver.ts. */
export interface Fields {
  readonly id: number;
  readonly op: string;
  readonly topic: string;
  readonly group: string;
  readonly consumer: string;
  readonly queue: string | number;
  readonly messages: SentMessage[];
  readonly handles: string[];
  readonly body?: string;
  readonly how?: 'ack' | 'retry' | 'reject';
  readonly exchange?: string;
  readonly producer?: string;
  readonly from?: string | number;
  readonly tags?: string;
  readonly acks?: string;
  readonly compression?: string;
  readonly args?: Record<string, unknown>;
  readonly queues?: unknown;
  readonly exchanges?: unknown;
  readonly bindings?: unknown;
  readonly idempotent?: boolean;
  readonly mandatory?: boolean;
  readonly multiple?: boolean;
  readonly noAck?: boolean;
  readonly exclusive?: boolean;
  readonly count?: number;
  readonly waitMs?: number;
  readonly retries?: number;
  readonly prefetch?: number;
  readonly maxAttempts?: number;
  readonly sessionTimeoutMs?: number;
}
export type Verbs = Record<string, (fields: Fields) => Promise<object>>;

export function endpoints(): Endpoints {
  const options = Object.fromEntries(process.argv.slice(2).map((arg) => /^--(\w+)=(.*)$/.exec(arg)?.slice(1, 3) ?? []));
  return options as Endpoints;
}

export function failure(error: unknown): DriverFailure {
  if (!(error instanceof Error)) return { kind: 'Error', message: String(error) };
  const code = (error as { code?: unknown }).code;
  return {
    kind: error.name,
    message: `${error.name}: ${error.message}`,
    ...(typeof code === 'number' ? { code } : {}),
  };
}

/** Serves verbs that take fields of the driver's own kind, and tells errors as it wants. */
export function serve<F extends { id: number; op: string }, E extends object = DriverFailure>(
  verbs: Record<string, (fields: F) => Promise<object>>,
  told: (error: unknown) => DriverFailure | E = failure,
): void {
  process.on('unhandledRejection', (reason) => console.error('unhandled rejection', reason));
  process.on('uncaughtException', (error) => console.error('uncaught exception', error));
  const answer = async (command: F): Promise<void> => {
    const reply: { id: number; ok?: object; error?: DriverFailure | E } = { id: command.id };
    try {
      const verb = verbs[command.op];
      if (!verb) throw new Error(`unknown verb ${command.op}`);
      reply.ok = await verb(command);
    } catch (error) {
      reply.error = told(error);
    }
    process.stdout.write(JSON.stringify(reply) + '\n');
  };
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => void answer(JSON.parse(line) as F));
  lines.on('close', () => process.exit(0));
}

/** What a client pushed and nobody has taken yet. */
export class Inbox<T> {
  readonly #ready: T[] = [];
  #wake: (() => void) | null = null;

  push(one: T): void {
    this.#ready.push(one);
    this.#wake?.();
  }

  /** Up to count, or what is there when the wait is over. */
  async take(count: number, waitMs: number): Promise<T[]> {
    const deadline = Date.now() + waitMs;
    while (this.#ready.length < count && Date.now() < deadline) {
      await new Promise<void>((wake) => {
        const timer = setTimeout(wake, deadline - Date.now());
        this.#wake = () => {
          clearTimeout(timer);
          wake();
        };
      });
      this.#wake = null;
    }
    return this.#ready.splice(0, count);
  }
}

export const base64 = (bytes: Uint8Array | null | undefined): string | null =>
  bytes ? Buffer.from(bytes).toString('base64') : null;
export const unbase64 = (text: unknown): Buffer | null =>
  typeof text === 'string' ? Buffer.from(text, 'base64') : null;
