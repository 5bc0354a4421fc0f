/** The AMQP 0-9-1 adapter: takes streams, keeps the connections alive now, and lets them go. */

import type { Duplex } from 'node:stream';
import type { Adapter, AdapterContext, ConnectionInfo } from '../adapter.ts';
import { AmqpError } from './amqp-error.ts';
import { Connection, type Shared } from './connection.ts';
import { newCounts } from './counts.ts';
import { DirectReplies } from './direct-replies.ts';
import { limitsOf } from './limits.ts';
import { Topology } from './topology.ts';

export { codec } from './codec.ts';

/** Queues and exchanges that the server names. */
export const reserved = [/^amq\./];

export function create(context: AdapterContext): Adapter {
  return new AmqpAdapter(context);
}

class AmqpAdapter implements Adapter {
  readonly protocol = 'amqp';
  readonly #shared: Shared;
  readonly #live = new Set<Connection>();
  #drained: (() => void) | null = null;
  #draining = false;

  constructor(context: AdapterContext) {
    const topology = new Topology(context.broker, context.internal ?? context.anonymous(''));
    const ready = topology.sweep().catch((error: unknown) => {
      context.log.warn({ error: String(error) }, 'queues that should not have outlived the last stop are still there');
    });
    this.#shared = {
      context,
      limits: limitsOf(context.limits),
      topology,
      counts: newCounts(),
      replies: new DirectReplies(context.random),
      ready,
      ended: (connection) => this.#ended(connection),
    };
  }

  get connections(): number {
    return this.#live.size;
  }

  get counts(): Readonly<Record<string, number>> {
    return this.#shared.counts;
  }

  accept(stream: Duplex, info: ConnectionInfo): void {
    if (this.#draining) {
      stream.destroy();
      return;
    }
    this.#shared.counts.connectionsAccepted++;
    this.#live.add(new Connection(stream, info, this.#shared));
  }

  async drain(deadlineMs: number): Promise<void> {
    this.#draining = true;
    const reason = new AmqpError('CONNECTION_FORCED', "broker forced connection closure with reason 'shutdown'");
    for (const connection of this.#live) connection.close(reason);
    if (this.#live.size === 0) return;
    const { clock, broker } = this.#shared.context;
    const timer = clock.setTimer(Math.max(deadlineMs - broker.nowMs(), 0), () => this.#cutAll(false));
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
    clock.clearTimer(timer);
  }

  cut(): void {
    this.#cutAll(true);
    this.#shared.topology.forget();
  }

  #cutAll(isVoid: boolean): void {
    for (const connection of this.#live) connection.cut(isVoid);
  }

  #ended(connection: Connection): void {
    this.#live.delete(connection);
    if (this.#live.size === 0) this.#drained?.();
  }
}
