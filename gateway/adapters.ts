// Which protocols there are, and what each listens on. Modules are loaded only for protocols that have a listener.
import type { AdapterModule } from '../adapters/adapter.ts';
import type { AdvertisedListenerConfig, Config, ProtocolLimits } from './config/config.ts';

interface ProtocolListener {
  /** As adapters know it. */
  readonly name: string;
  /** Prefix of its keys in the configuration. */
  readonly key: string;
  readonly title: string;
  readonly config: AdvertisedListenerConfig;
  /** How a client is pointed at it, ready to copy; null where clients find it by themselves. */
  connectionLine(host: string, port: number): string | null;
}

/** The numbers of a protocol's section by name: its limits, and settings that are numbers. */
type Limits = ProtocolLimits & Readonly<Record<string, number>>;

export interface Protocol {
  readonly name: string;
  load(): Promise<AdapterModule>;
  /** Limits and numeric settings from its section of the configuration, by name. */
  limits(config: Config): Limits;
  /** What its section says that is no number. */
  settings?(config: Config): Readonly<Record<string, string | boolean>>;
  listeners(config: Config): readonly ProtocolListener[];
}

export const protocols: readonly Protocol[] = [
  {
    name: 'rocketmq',
    load: () => import('../adapters/rocketmq/rocketmq.ts'),
    limits: ({ rocketmq }) => limitsOf(rocketmq),
    listeners: ({ rocketmq }) => [
      {
        name: 'rocketmq-nameserver',
        key: 'rocketmq.nameserver',
        title: 'RocketMQ name server',
        config: rocketmq.nameserver,
        connectionLine: (host, port) => `namesrvAddr=${host}:${port}`,
      },
      {
        name: 'rocketmq-broker',
        key: 'rocketmq.broker',
        title: 'RocketMQ broker',
        config: rocketmq.broker,
        connectionLine: () => null,
      },
      {
        name: 'rocketmq-fast',
        key: 'rocketmq.fast',
        title: 'RocketMQ fast port',
        config: rocketmq.fast,
        connectionLine: () => null,
      },
    ],
  },
  {
    name: 'kafka',
    load: () => import('../adapters/kafka/adapter.ts'),
    limits: ({ kafka }) => limitsOf(kafka),
    settings: ({ kafka: { clampReplicas } }) => ({ clampReplicas }),
    listeners: ({ kafka }) => [
      {
        name: 'kafka',
        key: 'kafka',
        title: 'Kafka',
        config: kafka,
        connectionLine: (host, port) => `bootstrap.servers=${host}:${port}`,
      },
      {
        name: 'kafka-internal',
        key: 'kafka.internal',
        title: 'Kafka, second listener',
        config: kafka.internal,
        connectionLine: (host, port) => `bootstrap.servers=${host}:${port}`,
      },
      {
        name: 'kafka-external',
        key: 'kafka.external',
        title: 'Kafka, third listener',
        config: kafka.external,
        connectionLine: (host, port) => `bootstrap.servers=${host}:${port}`,
      },
    ],
  },
  {
    name: 'amqp',
    load: () => import('../adapters/amqp/adapter.ts'),
    limits: ({ amqp }) => limitsOf(amqp),
    // Clients that behave by what they are told can be told what they know.
    settings: ({ amqp: { productName, productVersion } }) => ({
      ...(productName === '' ? {} : { productName }),
      ...(productVersion === '' ? {} : { productVersion }),
    }),
    listeners: ({ amqp }) => [
      {
        name: 'amqp',
        key: 'amqp',
        title: 'AMQP 0-9-1',
        config: amqp,
        connectionLine: (host, port) => `${amqp.tls === 'required' ? 'amqps' : 'amqp'}://guest:guest@${host}:${port}/`,
      },
    ],
  },
];

function limitsOf(section: ProtocolLimits): Limits {
  const numbers = Object.entries(section).filter(([, value]) => typeof value === 'number');
  const { frameBytesMax, connectionsMax, handshakeTimeoutMs } = section;
  return { ...Object.fromEntries(numbers), frameBytesMax, connectionsMax, handshakeTimeoutMs };
}
