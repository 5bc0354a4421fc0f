/**
 * The table of an exchange that shares its messages out by a hash: the same value always goes to the same binding, and
 * when a binding comes or goes only what it gains or had moves (weighted rendezvous hashing, Thaler and Ravishankar 1998).
 *
 * A binding's routing key is its weight, a whole number from 1 on; anything else weighs 1.
 */
import type { Binding, Exchange, Message } from '../types.ts';
import { RouteNode, type RouteTable } from './routing-tables.ts';

type HashedBy = NonNullable<Exchange['hashOn']>;

interface Share {
  readonly node: RouteNode;
  readonly seed: number;
  readonly weight: number;
}

const WEIGHT_MAX = 1_000_000;

export class HashTable implements RouteTable {
  readonly looksInside: boolean;
  readonly looksAtEachKey = false;
  private readonly on: HashedBy | null;
  private readonly shares = new Map<string, Share>();

  constructor(on: HashedBy | null) {
    this.on = on;
    this.looksInside = on !== null;
  }

  add(identity: string, row: Binding): void {
    const node = new RouteNode();
    node.add(identity, row);
    this.shares.set(identity, {
      node,
      seed: hash(`${row.destinationKind} ${row.destination}`),
      weight: weightOf(row.routingKey),
    });
  }

  remove(identity: string): void {
    this.shares.delete(identity);
  }

  match(routingKey: string, message: (() => Message) | null, found: (node: RouteNode) => void): void {
    const value = this.on === null || message === null ? routingKey : hashedOf(message(), this.on);
    const key = hash(value);
    let best: Share | null = null;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (const share of this.shares.values()) {
      const score = -share.weight / Math.log((mixed(key ^ share.seed) + 0.5) / 0x1_0000_0000);
      if (score <= bestScore) continue;
      best = share;
      bestScore = score;
    }
    if (best !== null) found(best.node);
  }

  /** Even a single binding is asked for each message: the next one may not be alone. */
  always(): void {}

  get nodeCount(): number {
    return this.shares.size;
  }
}

function weightOf(text: string): number {
  return /^[1-9]\d{0,6}$/.test(text) ? Math.min(Number(text), WEIGHT_MAX) : 1;
}

/** A message that does not have what is hashed counts as one that has it empty. */
function hashedOf(message: Message, on: HashedBy): string {
  if ('property' in on) return String(message[on.property] ?? '');
  return message.headers.findLast(({ name }) => name === on.header)?.value?.toString('latin1') ?? '';
}

/** FNV-1a over UTF-16 units. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let n = 0; n < text.length; n++) value = Math.imul(value ^ text.charCodeAt(n), 0x01000193);
  return value;
}

/** The last steps of murmur3: each bit of the input reaches each of the output. */
function mixed(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
