// What one connection may have under way; each by its name in the configuration.

export const LIMITS = {
  /** Sends that wait for the disk. */
  sendsMax: 65_536,
  /** Pulls that wait for messages. */
  pullsMax: 8_192,
  /** Other requests that wait for the broker. */
  requestsMax: 16_384,
  /** Bytes of requests that wait for a topic to be made, or for their client to be asked. */
  deferredBytesMax: 64 * 1024 * 1024,
} as const satisfies Readonly<Record<string, number>>;

export type Limits = Readonly<Record<keyof typeof LIMITS, number>>;

/** The configuration's where it names them. */
export function limitsOf(given: Readonly<Record<string, number>>): Limits {
  const limits: Record<keyof typeof LIMITS, number> = { ...LIMITS };
  for (const name of Object.keys(LIMITS) as (keyof typeof LIMITS)[]) limits[name] = given[name] ?? LIMITS[name];
  return limits;
}
