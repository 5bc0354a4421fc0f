/**
 * Exchanges and bindings, and the routes they make. The rows are a table folded from the log; tables that answer for a
 * routing key (routing-tables.ts) are kept beside them, and answers are cached until a row of the namespace changes.
 *
 * A source is the name of an exchange, or of a log topic when no exchange row of that name exists: then it behaves as a
 * topic exchange. A route follows bindings from exchange to exchange, each exchange once.
 *
 * Invariants: the queues that one set of matching nodes leads to are one array, the same object until a row changes, so
 * that what is made of it (an interned set of queues) can be found again by it. What a headers exchange took part in
 * depends on more than the routing key and is computed for each message.
 */
import type { Binding, Exchange, ExchangeType, Message } from '../types.ts';
import type { StateEvent } from './events.ts';
import { openTable, type RouteNode, type RouteTable } from './routing-tables.ts';

/** Routing keys remembered per namespace, and combinations of nodes; beyond it all are forgotten. */
export const ROUTES_CACHED_MAX = 16_384;

const NOWHERE: readonly string[] = Object.freeze([]);

/** Routes of a log topic's records to the queues bound to it. */
export interface TopicRoutes {
  /** Queues that take every record, whatever its key and headers. */
  readonly whole: readonly string[];
  /** Other queues take some records: ask `route` for each. */
  readonly perRecord: boolean;
  /** All queues that take a record, those of `whole` among them. */
  route(routingKey: string, message: (() => Message) | null): readonly string[];
}

interface Source {
  readonly name: string;
  readonly rows: Map<string, Binding>;
  type: ExchangeType;
  table: RouteTable;
}

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
  private byHeaders = false;
  private readonly collect = (node: RouteNode): void => {
    this.nodes.push(node);
  };

  // ---------------------------------------------------------------- rows

  putExchange(row: Exchange): void {
    const space = this.open(row.namespace);
    space.exchanges.set(row.name, row);
    const source = space.sources.get(row.name);
    if (source !== undefined) retype(source, row.type);
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
      const type = space.exchanges.get(row.source)?.type ?? 'topic';
      source = { name: row.source, rows: new Map(), type, table: openTable(type) };
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

  /** Everything, as events that make it again. */
  *events(): Generator<StateEvent> {
    for (const space of this.namespaces.values()) {
      for (const row of space.exchanges.values()) yield { k: 'exchange', row };
      for (const source of space.sources.values()) for (const row of source.rows.values()) yield { k: 'bind', row };
    }
  }

  // ---------------------------------------------------------------- routes

  /** Names of the queues that a message published to the exchange goes to, each once. */
  route(namespace: string, exchange: Exchange, routingKey: string, message: (() => Message) | null): readonly string[] {
    const space = this.namespaces.get(namespace);
    const source = space?.sources.get(exchange.name);
    if (space === undefined || source === undefined) return NOWHERE;
    // An exchange without a row (a built-in one) has the type its caller says.
    if (source.type !== exchange.type) {
      retype(source, exchange.type);
      forgetRoutes(space);
    }
    return this.routeFrom(space, source, routingKey, message);
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
    source: Source,
    routingKey: string,
    message: (() => Message) | null,
  ): readonly string[] {
    const cached = space.routes.get(source.name)?.get(routingKey);
    if (cached !== undefined) return cached;
    this.walk(space, source, (table) => table.match(routingKey, message, this.collect));
    const queues = this.combine(space);
    if (this.byHeaders) return queues;
    if (space.cached >= ROUTES_CACHED_MAX) forgetKeys(space);
    space.cached++;
    let routes = space.routes.get(source.name);
    if (routes === undefined) {
      routes = new Map();
      space.routes.set(source.name, routes);
    }
    routes.set(routingKey, queues);
    return queues;
  }

  private compileTopic(space: Namespace, source: Source): TopicRoutes {
    let perRecord = false;
    this.walk(space, source, (table) => {
      const before = this.nodes.length;
      table.always(this.collect);
      if (table.nodeCount > this.nodes.length - before) perRecord = true;
    });
    const whole = this.combine(space);
    const route = (routingKey: string, message: (() => Message) | null): readonly string[] =>
      perRecord ? this.routeFrom(space, source, routingKey, message) : whole;
    return { whole, perRecord, route };
  }

  /** Lets `match` collect nodes in each table that can be reached from the source, along the nodes it collects. */
  private walk(space: Namespace, source: Source, match: (table: RouteTable) => void): void {
    const nodes = this.nodes;
    nodes.length = 0;
    this.walked.clear();
    this.walked.add(source.name);
    this.byHeaders = source.type === 'headers';
    match(source.table);
    for (let n = 0; n < nodes.length; n++) {
      for (const name of nodes[n]!.exchanges) {
        if (this.walked.has(name)) continue;
        this.walked.add(name);
        const next = space.sources.get(name);
        if (next === undefined) continue;
        if (next.type === 'headers') this.byHeaders = true;
        match(next.table);
      }
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

function retype(source: Source, type: ExchangeType): void {
  if (source.type === type) return;
  source.type = type;
  source.table = openTable(type);
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
