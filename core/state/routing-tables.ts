/**
 * The ways in which an exchange chooses among its bindings. Bindings with the same pattern share a node; a table
 * finds the nodes that match a message. Tables follow each bind and unbind in the time that row takes, whatever their
 * size.
 *
 * The rules are those of AMQP 0-9-1 § 3.1.3. In topic patterns words are parted by dots, `*` stands for exactly one
 * word, which may be an empty one ("a..b" has three), `#` for zero or more. The empty key has no words: `#` and the
 * empty pattern match it, `*` does not.
 */
import type { Binding, Exchange, Header, Message, WantedHeader } from '../types.ts';
import { HashTable } from './hash-table.ts';

let nextNode = 1;

/** Where bindings of one pattern lead. */
export class RouteNode {
  /** Never used again for another node, so lists of ids can be compared. */
  readonly id = nextNode++;
  private readonly rows = new Map<string, Binding>();
  private queueNames: readonly string[] | null = null;
  private exchangeNames: readonly string[] | null = null;

  add(identity: string, row: Binding): void {
    this.rows.set(identity, row);
    this.queueNames = null;
    this.exchangeNames = null;
  }

  remove(identity: string): void {
    this.rows.delete(identity);
    this.queueNames = null;
    this.exchangeNames = null;
  }

  get isEmpty(): boolean {
    return this.rows.size === 0;
  }

  /** The same array until a binding of this pattern changes. */
  get queues(): readonly string[] {
    return (this.queueNames ??= this.names('queue'));
  }

  get exchanges(): readonly string[] {
    return (this.exchangeNames ??= this.names('exchange'));
  }

  private names(kind: Binding['destinationKind']): readonly string[] {
    const names = new Set<string>();
    for (const row of this.rows.values()) if (row.destinationKind === kind) names.add(row.destination);
    return [...names];
  }
}

export interface RouteTable {
  add(identity: string, row: Binding): void;
  remove(identity: string, row: Binding): void;
  match(routingKey: string, message: (() => Message) | null, found: (node: RouteNode) => void): void;
  /** The nodes that match every message. */
  always(found: (node: RouteNode) => void): void;
  readonly nodeCount: number;
  /** The answer depends on more of the message than its routing key. */
  readonly looksInside: boolean;
  /** Of a message with several routing keys, each may match something else; else it is asked for the first. */
  readonly looksAtEachKey: boolean;
}

export function openTable({ type, hashOn }: Pick<Exchange, 'type' | 'hashOn'>): RouteTable {
  switch (type) {
    case 'direct':
      return new DirectTable();
    case 'fanout':
      return new FanoutTable();
    case 'topic':
      return new TopicTable();
    case 'headers':
      return new HeadersTable();
    case 'hash':
      return new HashTable(hashOn ?? null);
  }
}

class FanoutTable implements RouteTable {
  readonly looksInside = false;
  readonly looksAtEachKey = false;
  private readonly node = new RouteNode();

  add(identity: string, row: Binding): void {
    this.node.add(identity, row);
  }

  remove(identity: string): void {
    this.node.remove(identity);
  }

  match(_routingKey: string, _message: unknown, found: (node: RouteNode) => void): void {
    found(this.node);
  }

  always(found: (node: RouteNode) => void): void {
    found(this.node);
  }

  readonly nodeCount = 1;
}

class DirectTable implements RouteTable {
  readonly looksInside = false;
  readonly looksAtEachKey = true;
  private readonly nodes = new Map<string, RouteNode>();

  add(identity: string, row: Binding): void {
    let node = this.nodes.get(row.routingKey);
    if (node === undefined) {
      node = new RouteNode();
      this.nodes.set(row.routingKey, node);
    }
    node.add(identity, row);
  }

  remove(identity: string, row: Binding): void {
    const node = this.nodes.get(row.routingKey)!;
    node.remove(identity);
    if (node.isEmpty) this.nodes.delete(row.routingKey);
  }

  match(routingKey: string, _message: unknown, found: (node: RouteNode) => void): void {
    const node = this.nodes.get(routingKey);
    if (node !== undefined) found(node);
  }

  always(): void {}

  get nodeCount(): number {
    return this.nodes.size;
  }
}

// ---------------------------------------------------------------- topic

/** A place in the trie of patterns: what lies behind it is reached by a word, by `*` or by `#`. */
class Place {
  readonly words = new Map<string, Place>();
  node: RouteNode | null = null;
  /** The place stands behind a `#`, which may take further words. */
  readonly isHash: boolean;
  /** The step of the walk that has been here last: a place is visited once per word, so no pattern costs more than its length. */
  visited = 0;

  constructor(isHash: boolean) {
    this.isHash = isHash;
  }
}

/** Patterns split into words; the two wildcards are words of the trie too. */
function wordsOf(text: string): string[] {
  return text === '' ? [] : text.split('.');
}

class TopicTable implements RouteTable {
  readonly looksInside = false;
  readonly looksAtEachKey = true;
  private readonly root = new Place(false);
  private step = 0;
  private current: Place[] = [];
  private following: Place[] = [];
  nodeCount = 0;

  add(identity: string, row: Binding): void {
    let place = this.root;
    for (const word of wordsOf(row.routingKey)) {
      let next = place.words.get(word);
      if (next === undefined) {
        next = new Place(word === '#');
        place.words.set(word, next);
      }
      place = next;
    }
    if (place.node === null) {
      place.node = new RouteNode();
      this.nodeCount++;
    }
    place.node.add(identity, row);
  }

  remove(identity: string, row: Binding): void {
    const words = wordsOf(row.routingKey);
    const path = [this.root];
    for (const word of words) path.push(path[path.length - 1]!.words.get(word)!);
    const last = path[words.length]!;
    last.node!.remove(identity);
    if (!last.node!.isEmpty) return;
    last.node = null;
    this.nodeCount--;
    for (let n = words.length; n > 0; n--) {
      if (path[n]!.node !== null || path[n]!.words.size > 0) return;
      path[n - 1]!.words.delete(words[n - 1]!);
    }
  }

  match(routingKey: string, _message: unknown, found: (node: RouteNode) => void): void {
    this.step++;
    this.current.length = 0;
    this.enter(this.current, this.root);
    for (const word of wordsOf(routingKey)) {
      this.step++;
      this.following.length = 0;
      for (const place of this.current) {
        if (place.isHash) this.enter(this.following, place);
        this.enter(this.following, place.words.get('*'));
        // Words that look like a wildcard are none when they come from a message.
        if (word !== '*' && word !== '#') this.enter(this.following, place.words.get(word));
      }
      [this.current, this.following] = [this.following, this.current];
    }
    for (const place of this.current) if (place.node !== null) found(place.node);
  }

  /** A place, and what a `#` behind it reaches without a word. */
  private enter(places: Place[], from: Place | undefined): void {
    for (let place = from; place !== undefined && place.visited !== this.step; place = place.words.get('#')) {
      place.visited = this.step;
      places.push(place);
    }
  }

  /** Patterns of nothing but `#`. */
  always(found: (node: RouteNode) => void): void {
    for (let place = this.root.words.get('#'); place !== undefined; place = place.words.get('#'))
      if (place.node !== null) found(place.node);
  }
}

// ---------------------------------------------------------------- headers

class HeadersTable implements RouteTable {
  readonly looksInside = true;
  readonly looksAtEachKey = false;
  private readonly entries = new Map<string, { match: Binding['match']; node: RouteNode }>();

  add(identity: string, row: Binding): void {
    const node = new RouteNode();
    node.add(identity, row);
    this.entries.set(identity, { match: row.match, node });
  }

  remove(identity: string): void {
    this.entries.delete(identity);
  }

  match(_routingKey: string, message: (() => Message) | null, found: (node: RouteNode) => void): void {
    let headers: readonly Header[] | null = null;
    for (const { match, node } of this.entries.values()) {
      if (match !== null && match.headers.length > 0) headers ??= message === null ? [] : message().headers;
      if (matches(match, headers ?? [])) found(node);
    }
  }

  always(found: (node: RouteNode) => void): void {
    for (const { match, node } of this.entries.values()) if (matches(match, [])) found(node);
  }

  get nodeCount(): number {
    return this.entries.size;
  }
}

/** Nothing asked for: `all` matches everything (also a binding that does not say what to match), `any` nothing. */
function matches(match: Binding['match'], headers: readonly Header[]): boolean {
  if (match === null) return true;
  const isAny = match.mode === 'any';
  for (const wanted of match.headers) if (headers.some((header) => fits(wanted, header)) === isAny) return isAny;
  return !isAny;
}

/** Equal in type and value; a wanted header without value asks only that it be there. */
function fits(wanted: WantedHeader, header: Header): boolean {
  if (wanted.name !== header.name) return false;
  if (wanted.value === null) return true;
  const type = header.type ?? '';
  const isLike = wanted.types === undefined ? type === (wanted.type ?? '') : wanted.types.includes(type);
  return isLike && header.value !== null && wanted.value.equals(header.value);
}
