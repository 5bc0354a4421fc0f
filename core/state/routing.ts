/**
 * Exchanges and bindings, and the routes they make. The rows are a table folded from the log; tables that answer for a
 * routing key (routing-tables.ts) are kept beside them, and answers are cached until a row of the namespace changes.
 *
 * A source is the name of an exchange, or of a log topic when no exchange row of that name exists: then it behaves as a
 * topic exchange. A route follows bindings from exchange to exchange, and from one whose bindings take nothing to its
 * alternate, each exchange once; what a binding leads to in the end is not asked. A message of several routing keys is
 * routed once, by all of them together.
 *
 * Invariants: the queues that one set of matching nodes leads to are one array, the same object until a row changes, so
 * that what is made of it (an interned set of queues) can be found again by it. What an exchange took part in that looks
 * inside messages (headers, a hash of one) depends on more than the routing key and is computed for each message.
 */
import type { Binding, Exchange, Message } from '../types.ts';
import type { StateEvent } from './events.ts';
import { openTable, type RouteNode, type RouteTable } from './routing-tables.ts';

/** Routing keys remembered per namespace, and combinations of nodes; beyond it all are forgotten. */
export const ROUTES_CACHED_MAX = 16_384;

/** The routing key of a message, or all it has. */
export type RoutingKeys = string | readonly string[];

const NOWHERE: readonly string[] = Object.freeze([]);

/** Routes of a log topic's records to the queues bound to it. */
export interface TopicRoutes {
  /** Queues that take every record, whatever its key and headers. */
  readonly whole: readonly string[];
  /** Other queues take some records: ask `route` for each. */
  readonly perRecord: boolean;
  /** All queues that take a record, those of `whole` among them. */
  route(keys: RoutingKeys, message: (() => Message) | null): readonly string[];
}

interface Source {
  readonly name: string;
  readonly rows: Map<string, Binding>;
  kind: Kind;
  table: RouteTable;
}

type Kind = Pick<Exchange, 'type' | 'hashOn'>;

const AS_TOPIC: Kind = { type: 'topic' };

interface Namespace {
  readonly exchanges: Map<string, Exchange>;
  readonly sources: Map<string, Source>;
  /** The rows that lead to a destination, by kind and name. */
  readonly destinations: Map<string, Set<Binding>>;
  /** Answers, by source and routing key; `cached` is how many. */
  routes: Map<string, Map<string, readonly string[]>>;
  cached: number;
  topicRoutes: Map<string, TopicRoutes>;
  /** Queues of several nodes together, by the nodes' ids. */
  combinations: Map<string, readonly string[]>;
}

const destinationKey = (kind: Binding['destinationKind'], name: string): string => `${kind}\0${name}`;

/** Names and keys may hold any character. */
function identityOf(row: Binding): string {
  return JSON.stringify([row.destinationKind, row.destination, row.routingKey, row.arguments]);
}

export class Routing {
  private readonly namespaces = new Map<string, Namespace>();
  // What one walk collects; reused.
  private nodes: RouteNode[] = [];
  private readonly walked = new Set<string>();
  private readonly path: string[] = [];
  /** Alternates that the last route came to and that are no exchanges: they may be something else. */
  readonly left: string[] = [];
  private looksInside = false;
  private hasAlternate = false;
  private readonly collect = (node: RouteNode): void => {
    this.nodes.push(node);
  };

  // ---------------------------------------------------------------- rows

  putExchange(row: Exchange): void {
    const space = this.open(row.namespace);
    space.exchanges.set(row.name, row);
    const source = space.sources.get(row.name);
    if (source !== undefined) retype(source, row);
    forgetRoutes(space);
  }

  /** With the bindings from it and to it. */
  deleteExchange(namespace: string, name: string): void {
    const space = this.namespaces.get(namespace);
    if (space === undefined) return;
    space.exchanges.delete(name);
    const source = space.sources.get(name);
    if (source !== undefined) for (const row of source.rows.values()) this.remove(space, row);
    this.removeAll(space, destinationKey('exchange', name));
    forgetRoutes(space);
    this.close(namespace, space);
  }

  /** A binding that exists already is replaced and keeps its place. */
  bind(row: Binding): void {
    const space = this.open(row.namespace);
    let source = space.sources.get(row.source);
    if (source === undefined) {
      const kind = space.exchanges.get(row.source) ?? AS_TOPIC;
      source = { name: row.source, rows: new Map(), kind, table: openTable(kind) };
      space.sources.set(row.source, source);
    }
    const identity = identityOf(row);
    const before = source.rows.get(identity);
    const key = destinationKey(row.destinationKind, row.destination);
    let rows = space.destinations.get(key);
    if (rows === undefined) {
      rows = new Set();
      space.destinations.set(key, rows);
    }
    if (before !== undefined) {
      rows.delete(before);
      source.table.remove(identity, before);
    }
    source.rows.set(identity, row);
    source.table.add(identity, row);
    rows.add(row);
    forgetRoutes(space);
  }

  unbind(row: Binding): void {
    const space = this.namespaces.get(row.namespace);
    const before = space?.sources.get(row.source)?.rows.get(identityOf(row));
    if (space === undefined || before === undefined) return;
    this.remove(space, before);
    forgetRoutes(space);
    this.close(row.namespace, space);
  }

  /** A queue is gone, and its bindings with it. */
  removeDestination(namespace: string, queueName: string): void {
    const space = this.namespaces.get(namespace);
    if (space === undefined || !this.removeAll(space, destinationKey('queue', queueName))) return;
    forgetRoutes(space);
    this.close(namespace, space);
  }

  exchange(namespace: string, name: string): Exchange | null {
    return this.namespaces.get(namespace)?.exchanges.get(name) ?? null;
  }

  exchanges(namespace: string): Exchange[] {
    return [...(this.namespaces.get(namespace)?.exchanges.values() ?? [])];
  }

  bindings(namespace: string): Binding[] {
    const rows: Binding[] = [];
    for (const source of this.namespaces.get(namespace)?.sources.values() ?? []) rows.push(...source.rows.values());
    return rows;
  }

  bindingsOf(namespace: string, source: string): Binding[] {
    return [...(this.namespaces.get(namespace)?.sources.get(source)?.rows.values() ?? [])];
  }

  /** The bindings that lead to it. */
  leadingTo(namespace: string, kind: Binding['destinationKind'], name: string): Binding[] {
    return [...(this.namespaces.get(namespace)?.destinations.get(destinationKey(kind, name)) ?? [])];
  }

  /**
   * Exchanges that are to go with their last binding, when these bindings go; with them go the bindings to them, and
   * so perhaps further ones.
   */
  orphans(namespace: string, goes: readonly Binding[]): string[] {
    const space = this.namespaces.get(namespace);
    if (space === undefined) return [];
    const gone = new Set(goes);
    const names: string[] = [];
    for (const { source: name } of gone) {
      if (names.includes(name) || space.exchanges.get(name)?.autoDelete !== true) continue;
      const rows = [...(space.sources.get(name)?.rows.values() ?? [])];
      if (rows.length === 0 || !rows.every((row) => gone.has(row))) continue;
      names.push(name);
      // The set is walked in order of insertion: what is added here is looked at too.
      for (const row of this.leadingTo(namespace, 'exchange', name)) gone.add(row);
    }
    return names;
  }

  /** The row that is stored for this binding, null when it is not bound. */
  bound(row: Binding): Binding | null {
    return this.namespaces.get(row.namespace)?.sources.get(row.source)?.rows.get(identityOf(row)) ?? null;
  }

  /** Everything, as events that make it again. */
  *events(): Generator<StateEvent> {
    for (const space of this.namespaces.values()) {
      for (const row of space.exchanges.values()) yield { k: 'exchange', row };
      for (const source of space.sources.values()) for (const row of source.rows.values()) yield { k: 'bind', row };
    }
  }

  // ---------------------------------------------------------------- routes

  /** Names of the queues that a message published to the exchange goes to, each once. */
  route(namespace: string, exchange: Exchange, keys: RoutingKeys, message: (() => Message) | null): readonly string[] {
    this.left.length = 0;
    const space = this.namespaces.get(namespace);
    if (space === undefined) return NOWHERE;
    const source = space.sources.get(exchange.name);
    if (source === undefined && exchange.alternate === undefined) return NOWHERE;
    // An exchange without a row (a built-in one) has the type its caller says.
    if (source !== undefined && source.kind.type !== exchange.type) {
      retype(source, exchange);
      forgetRoutes(space);
    }
    return this.routeFrom(space, exchange.name, keys, message);
  }

  topicRoutes(namespace: string, topicName: string): TopicRoutes | null {
    const space = this.namespaces.get(namespace);
    const source = space?.sources.get(topicName);
    if (space === undefined || source === undefined) return null;
    let routes = space.topicRoutes.get(topicName);
    if (routes === undefined) {
      routes = this.compileTopic(space, source);
      space.topicRoutes.set(topicName, routes);
    }
    return routes;
  }

  private routeFrom(
    space: Namespace,
    from: string,
    keys: RoutingKeys,
    message: (() => Message) | null,
  ): readonly string[] {
    if (typeof keys !== 'string') return this.routeAll(space, from, keys, message);
    const cached = space.routes.get(from)?.get(keys);
    if (cached !== undefined) return cached;
    this.walk(space, from, (table) => table.match(keys, message, this.collect));
    const queues = this.combine(space);
    if (this.looksInside || this.left.length > 0) return queues;
    if (space.cached >= ROUTES_CACHED_MAX) forgetKeys(space);
    space.cached++;
    let routes = space.routes.get(from);
    if (routes === undefined) {
      routes = new Map();
      space.routes.set(from, routes);
    }
    routes.set(keys, queues);
    return queues;
  }

  private routeAll(
    space: Namespace,
    from: string,
    keys: readonly string[],
    message: (() => Message) | null,
  ): readonly string[] {
    const first = keys.slice(0, 1);
    this.walk(space, from, (table) => {
      for (const key of table.looksAtEachKey ? keys : first) table.match(key, message, this.collect);
    });
    this.nodes = [...new Set(this.nodes)];
    return this.combine(space);
  }

  private compileTopic(space: Namespace, source: Source): TopicRoutes {
    let perRecord = false;
    this.walk(space, source.name, (table) => {
      const before = this.nodes.length;
      table.always(this.collect);
      if (table.nodeCount > this.nodes.length - before) perRecord = true;
    });
    // What an alternate gets is what the bindings left over: with both, each record is asked for.
    if (this.hasAlternate) perRecord = true;
    const whole = perRecord && this.hasAlternate ? NOWHERE : this.combine(space);
    const route = (keys: RoutingKeys, message: (() => Message) | null): readonly string[] =>
      perRecord ? this.routeFrom(space, source.name, keys, message) : whole;
    return { whole, perRecord, route };
  }

  /** Lets `match` collect nodes in each table that can be reached from the source, along the nodes it collects. */
  private walk(space: Namespace, from: string, match: (table: RouteTable) => void): void {
    const { nodes, path, walked, left } = this;
    nodes.length = 0;
    left.length = 0;
    path.length = 0;
    path.push(from);
    walked.clear();
    this.looksInside = false;
    this.hasAlternate = false;
    for (let step = 0; step < path.length; step++) {
      const name = path[step]!;
      if (walked.has(name)) continue;
      walked.add(name);
      const source = space.sources.get(name);
      const before = nodes.length;
      if (source !== undefined) {
        if (source.table.looksInside) this.looksInside = true;
        match(source.table);
      }
      let taken = false;
      for (let n = before; n < nodes.length; n++) {
        if (!nodes[n]!.isEmpty) taken = true;
        path.push(...nodes[n]!.exchanges);
      }
      const alternate = space.exchanges.get(name)?.alternate;
      if (alternate === undefined) continue;
      this.hasAlternate = true;
      if (taken) continue;
      path.push(alternate);
      if (!space.exchanges.has(alternate) && !left.includes(alternate)) left.push(alternate);
    }
  }

  /** The queues of the collected nodes. */
  private combine(space: Namespace): readonly string[] {
    const nodes = this.nodes;
    if (nodes.length === 0) return NOWHERE;
    if (nodes.length === 1) return nodes[0]!.queues;
    const ids = nodes.map((node) => node.id).sort((a, b) => a - b);
    const key = ids.join(',');
    let queues = space.combinations.get(key);
    if (queues === undefined) {
      const names = new Set<string>();
      for (const node of nodes) for (const name of node.queues) names.add(name);
      queues = names.size === 0 ? NOWHERE : [...names];
      if (space.combinations.size >= ROUTES_CACHED_MAX) space.combinations.clear();
      space.combinations.set(key, queues);
    }
    return queues;
  }

  // ---------------------------------------------------------------- inside

  private open(name: string): Namespace {
    let space = this.namespaces.get(name);
    if (space === undefined) {
      space = {
        exchanges: new Map(),
        sources: new Map(),
        destinations: new Map(),
        routes: new Map(),
        cached: 0,
        topicRoutes: new Map(),
        combinations: new Map(),
      };
      this.namespaces.set(name, space);
    }
    return space;
  }

  private close(name: string, space: Namespace): void {
    if (space.exchanges.size === 0 && space.sources.size === 0) this.namespaces.delete(name);
  }

  private remove(space: Namespace, row: Binding): void {
    const source = space.sources.get(row.source)!;
    const identity = identityOf(row);
    source.rows.delete(identity);
    source.table.remove(identity, row);
    if (source.rows.size === 0) space.sources.delete(row.source);
    const key = destinationKey(row.destinationKind, row.destination);
    const rows = space.destinations.get(key)!;
    rows.delete(row);
    if (rows.size === 0) space.destinations.delete(key);
  }

  private removeAll(space: Namespace, destination: string): boolean {
    const rows = space.destinations.get(destination);
    if (rows === undefined) return false;
    for (const row of rows) this.remove(space, row);
    return true;
  }
}

function retype(source: Source, kind: Kind): void {
  if (source.kind.type === kind.type && source.kind.hashOn === kind.hashOn) return;
  source.kind = kind;
  source.table = openTable(kind);
  for (const [identity, row] of source.rows) source.table.add(identity, row);
}

function forgetKeys(space: Namespace): void {
  if (space.cached > 0) space.routes = new Map();
  space.cached = 0;
}

/** Any row may change any answer of its namespace, by way of exchanges bound to exchanges. */
function forgetRoutes(space: Namespace): void {
  forgetKeys(space);
  if (space.topicRoutes.size > 0) space.topicRoutes = new Map();
  if (space.combinations.size > 0) space.combinations = new Map();
}
