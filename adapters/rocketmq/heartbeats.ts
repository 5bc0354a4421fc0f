// What consumers said in their last whole heartbeat (version 2), so that a client that comes back over a new connection
// and sends only its fingerprint is put back into its group at once.
//
// Invariant: bounded; the oldest goes first, and costs its client one whole heartbeat.

const HEARTBEATS_MAX = 20_000;

interface Heartbeat {
  readonly fingerprint: number;
  readonly consumer: Record<string, unknown>;
}

export class Heartbeats {
  readonly #known = new Map<string, Heartbeat>();

  remember(key: string, fingerprint: number, consumer: Record<string, unknown>): void {
    this.#known.delete(key);
    this.#known.set(key, { fingerprint, consumer });
    if (this.#known.size > HEARTBEATS_MAX) this.#known.delete(this.#known.keys().next().value!);
  }

  recall(key: string, fingerprint: number): Record<string, unknown> | null {
    const known = this.#known.get(key);
    return known?.fingerprint === fingerprint ? known.consumer : null;
  }

  forget(key: string): void {
    this.#known.delete(key);
  }
}
