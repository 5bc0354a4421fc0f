// The RocketMQ remoting adapter: what the gateway composes.
//
// Invariants: all state here is of live connections; when it is cut nothing remains but what the core holds.

import type { Duplex } from 'node:stream';
import type { Adapter, AdapterContext, ConnectionInfo } from '../adapter.ts';
import { Connection } from './connection.ts';
import { PROTOCOL } from './groups.ts';
import { BrokerNode } from './node.ts';

export { codec } from './codec.ts';
export { RESERVED as reserved } from './node.ts';

/** How often a draining adapter looks whether everything has been answered. */
const DRAIN_CHECK_MS = 20;

export function create(context: AdapterContext): Adapter {
  return new RocketmqAdapter(context);
}

class RocketmqAdapter implements Adapter {
  readonly protocol = PROTOCOL;
  readonly #node: BrokerNode;

  constructor(context: AdapterContext) {
    this.#node = new BrokerNode(context);
  }

  get connections(): number {
    return this.#node.connections.size;
  }

  get counts(): Readonly<Record<string, number>> {
    return this.#node.counts;
  }

  accept(stream: Duplex, info: ConnectionInfo): void {
    const { connections } = this.#node;
    connections.add(new Connection(this.#node, stream, info, (closed) => connections.delete(closed)));
  }

  /**
   * New requests are told SERVICE_NOT_AVAILABLE from now on, waiting pulls get their empty answer, sends under way
   * theirs; then the streams end.
   */
  drain(deadlineMs: number): Promise<void> {
    const { clock } = this.#node.context;
    this.#node.draining = true;
    for (const connection of this.#node.connections) connection.drain();
    return new Promise((resolve) => {
      const check = (): void => {
        const isLate = clock.nowMs() >= deadlineMs;
        for (const connection of this.#node.connections) {
          if (isLate) connection.cut();
          else if (connection.isIdle) connection.end();
        }
        if (this.#node.connections.size === 0 || isLate) resolve();
        else clock.setTimer(DRAIN_CHECK_MS, check);
      };
      check();
    });
  }

  cut(): void {
    for (const connection of this.#node.connections) connection.cut();
  }
}
