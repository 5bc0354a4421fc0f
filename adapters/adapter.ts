/**
 * What the gateway and an adapter are to each other. An adapter translates one protocol: it is given streams that were
 * accepted for it, keeps state of live connections only, opens no file and no socket, and takes its timers from the
 * passed Clock. It imports no other adapter.
 */
import type { Duplex } from 'node:stream';
import type { Clock, Codec, FormatTag, Principal, Random } from '../core/types.ts';
import type { Verbs } from '../core/verbs.ts';

/** Format tags of the stored payloads; never reuse one. Tag 4 is the core's canonical record. */
export const FORMAT = { rocketmq: 1, kafka: 2, amqp: 3, canonical: 4 } as const satisfies Record<string, FormatTag>;

export interface Address {
  host: string;
  port: number;
}

/** Where a connection came in, and what to tell its client about our addresses. */
export interface ConnectionInfo {
  /** Name of the listener, e.g. `kafka` or `rocketmq-nameserver`. */
  readonly listener: string;
  readonly remote: Address;
  readonly local: Address;
  readonly tls: boolean;
  /** Common name of the client's certificate where one was shown and verified, null where not. */
  readonly peerName?: string | null;
  /** Addresses to advertise to this client, by listener name, in the address set of the listener that was asked. */
  advertised(listener: string): Address | null;
}

export interface Logger {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export interface AdapterContext {
  readonly broker: Verbs;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Checks a name and password; null refuses, and comes the later the more of them were wrong. While no user exists any pair (and none) is accepted as `anonymous`. */
  authenticate(name: string, password: string, host: string): Promise<Principal | null>;
  /** Runs a check of another kind than name and password; the answer to a wrong one (null) comes late. */
  readonly attempt?: (host: string, name: string, check: () => Promise<Principal | null>) => Promise<Principal | null>;
  /** The principal of a connection that has not authenticated: allowed everything only while no user exists. */
  anonymous(host: string): Principal;
  /** The broker's own principal, which may do everything: for what no client asks for, such as the end of its temporary queues. */
  readonly internal?: Principal;
  /** True while clients need not authenticate. */
  readonly open: () => boolean;
  /** Limits of this protocol from the configuration, by their names in specs/config. */
  readonly limits: Readonly<Record<string, number>>;
  /** Settings of this protocol from the configuration (`autoCreateTopics`, `productName` …). */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
}

/** A number that a client measured and sent us; `client` names the sender, `labels` are its own. */
export interface ClientMetric {
  readonly name: string;
  readonly client: string;
  readonly labels: string;
  readonly value: number;
}

export interface Adapter {
  readonly protocol: string;
  /** Takes over a stream; errors on it are the adapter's to handle, and end that connection only. */
  accept(stream: Duplex, info: ConnectionInfo): void;
  /** Connections alive now. */
  readonly connections: number;
  /** Plain counters for the metrics page: requests, errors, bytes, conversions … by name. */
  readonly counts: Readonly<Record<string, number>>;
  /** What clients have said of themselves, for the metrics page. */
  clientMetrics?(): Iterable<ClientMetric>;
  /** Tells clients to go in their protocol's way, lets what is in flight finish, closes all streams; resolves when none is left. */
  drain(deadlineMs: number): Promise<void>;
  /** Cuts every stream at once, unanswered (the journal was lost). */
  cut(): void;
}

/** An adapter module exports `codec` and `create`. */
export interface AdapterModule {
  readonly codec: Codec;
  /** Names of topics and queues that only this protocol may create (it passes its tag as `owner`). */
  readonly reserved: readonly RegExp[];
  create(context: AdapterContext): Adapter;
}
