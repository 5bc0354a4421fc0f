// One life of the state, from an opened log to its loss or the end: the broker and all that refers to it.
import type { Logger as PinoLogger } from 'pino';
import type { Adapter, AdapterContext, AdapterModule } from '../adapters/adapter.ts';
import { BROKER } from '../core/publish.ts';
import type { Codec, ReservedNames } from '../core/types.ts';
import type { Verbs } from '../core/verbs.ts';
import type { Protocol } from './adapters.ts';
import { Authenticator } from './authenticate.ts';
import type { Config } from './config/config.ts';
import { VERSION } from './status.ts';
import type { BrokerClock } from './system/broker-clock.ts';
import type { FileDisk } from './system/file-disk.ts';
import { systemRandom } from './system/random.ts';

/** The namespace of protocols that know none, and of the virtual host `/`. */
const NAMESPACE = 'default';

/** The broker as the gateway runs it. */
export interface RunningBroker extends Verbs {
  /** Makes durable what is open and ends; after a lost journal it only ends. */
  close(): Promise<void>;
}

export interface BrokerParts {
  readonly config: Config;
  readonly disk: FileDisk;
  readonly clock: BrokerClock;
  readonly codecs: readonly Codec[];
  readonly reserved: readonly ReservedNames[];
  readonly log: PinoLogger;
}

export type OpenBroker = (parts: BrokerParts) => Promise<RunningBroker>;

export interface Serving {
  readonly broker: RunningBroker;
  readonly authenticator: Authenticator;
  /** By protocol. */
  readonly adapters: ReadonlyMap<string, Adapter>;
}

/** Protocols with their loaded modules. */
export type LoadedProtocols = readonly (readonly [Protocol, AdapterModule])[];

export interface ServingParts {
  readonly config: Config;
  readonly disk: FileDisk;
  readonly clock: BrokerClock;
  readonly log: PinoLogger;
  readonly protocols: LoadedProtocols;
  readonly openBroker: OpenBroker;
}

/** Recovers the state and makes an adapter for each protocol. */
export async function openServing(parts: ServingParts): Promise<Serving> {
  const { config, disk, clock, protocols } = parts;
  const codecs = protocols.map(([, module]) => module.codec);
  const reserved = protocols.flatMap(([{ name }, module]) =>
    module.reserved.map((pattern) => ({ owner: name, pattern })),
  );
  const broker = await parts.openBroker({ config, disk, clock, codecs, reserved, log: parts.log });
  const authenticator = new Authenticator(broker, clock);
  const adapters = new Map(
    protocols.map(([protocol, module]) => [
      protocol.name,
      module.create(contextOf(parts, protocol, broker, authenticator)),
    ]),
  );
  return { broker, authenticator, adapters };
}

function contextOf(
  { config, clock, log }: ServingParts,
  protocol: Protocol,
  broker: Verbs,
  authenticator: Authenticator,
): AdapterContext {
  return {
    broker,
    clock,
    random: systemRandom,
    log: log.child({ protocol: protocol.name }),
    authenticate: (name, password, host) => authenticator.authenticate(name, password, host),
    attempt: (host, name, check) => authenticator.attempt(host, name, check),
    anonymous: (host) => authenticator.anonymous(host),
    internal: BROKER,
    open: () => authenticator.isOpen,
    limits: { ...protocol.limits(config) },
    settings: {
      namespace: NAMESPACE,
      autoCreateTopics: config.autoCreateTopics,
      productName: 'RosettaMQ',
      productVersion: VERSION,
      ...protocol.settings?.(config),
    },
  };
}
