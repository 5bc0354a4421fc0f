// The Kafka adapter: connections in, one coordinator and one codec behind them.
//
// Invariants:
// - no file, no listening socket, and no timer that outlives its connection; what must survive is in the core;
// - `cut` answers nobody: when the journal is lost, nothing more may be promised.

import type { Duplex } from 'node:stream';
import type { Adapter, AdapterContext, ClientMetric, ConnectionInfo } from '../adapter.ts';
import { Connection } from './connection.ts';
import { PROTOCOL } from './group/coordinator.ts';
import { Node } from './node.ts';

export { codec } from './codec/codec.ts';
export { RESERVED as reserved } from './names.ts';

export function create(context: AdapterContext): Adapter {
  return new KafkaAdapter(context);
}

class KafkaAdapter implements Adapter {
  readonly protocol = PROTOCOL;
  readonly #node: Node;
  readonly #connections = new Set<Connection>();
  #onLast: (() => void) | null = null;

  constructor(context: AdapterContext) {
    this.#node = new Node(context);
  }

  get connections(): number {
    return this.#connections.size;
  }

  get counts(): Readonly<Record<string, number>> {
    return this.#node.counts;
  }

  clientMetrics(): Iterable<ClientMetric> {
    return this.#node.telemetry.metrics();
  }

  accept(stream: Duplex, info: ConnectionInfo): void {
    if (this.#onLast !== null) {
      stream.destroy();
      return;
    }
    const connection = new Connection(this.#node, stream, info, (closed) => {
      this.#connections.delete(closed);
      if (this.#connections.size === 0) this.#onLast?.();
    });
    this.#connections.add(connection);
  }

  drain(deadlineMs: number): Promise<void> {
    const { clock } = this.#node;
    return new Promise((resolve) => {
      const timer = clock.setTimer(Math.max(0, deadlineMs - clock.nowMs()), () => this.cut());
      this.#onLast = () => {
        clock.clearTimer(timer);
        resolve();
      };
      for (const connection of this.#connections) connection.drain();
      if (this.#connections.size === 0) this.#onLast();
    });
  }

  cut(): void {
    for (const connection of this.#connections) connection.cut();
  }
}
