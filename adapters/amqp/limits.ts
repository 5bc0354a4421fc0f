/** The limits of this protocol by their names in the configuration, with what holds when it does not say. */

const limits = {
  /** Largest frame offered in connection.tune, overhead included. */
  frameBytesMax: 131_072,
  /** Largest frame before tune-ok; large enough for a token as password. */
  frameBytesMaxBeforeTune: 8192,
  /** Smallest frame-max a client may choose (spec 4.2.3). */
  frameBytesMin: 4096,
  channelsPerConnectionMax: 2047,
  heartbeatS: 60,
  /** Largest body of a message. */
  messageBytesMax: 16 * 1024 * 1024,
  unackedPerChannelMax: 100_000,
  consumersPerChannelMax: 10_000,
  /** Memory for messages being received at the same time on one connection, together. */
  contentBytesMax: 128 * 1024 * 1024,
  /** Messages of one transaction, together. */
  transactionBytesMax: 64 * 1024 * 1024,
  /** Octets of messages of one connection that wait for the disk, before no more are read from it. */
  unwrittenBytesMax: 32 * 1024 * 1024,
  /** How long a delivery may stay unanswered before its channel is closed; 0: for ever. x-consumer-timeout says it for a queue. */
  consumerTimeoutMs: 0,
  /** From accept to connection.open. */
  handshakeTimeoutMs: 10_000,
  /** A refused login is answered no sooner, so that passwords cannot be tried quickly. */
  loginRefusedDelayMs: 1000,
  /** How long the client may take to answer connection.close. */
  closeTimeoutMs: 3000,
} as const;

type LimitName = keyof typeof limits;

export type Limits = Readonly<Record<LimitName, number>>;

/** What is configured, where it is, else the default. Names this protocol does not know are not its business. */
export function limitsOf(configured: Readonly<Record<string, number>>): Limits {
  const names = Object.keys(limits) as LimitName[];
  return Object.fromEntries(names.map((name) => [name, configured[name] ?? limits[name]])) as Limits;
}
