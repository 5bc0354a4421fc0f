/**
 * The basic class's content properties as rows (spec 1.8.3): the flag bit that announces each and its type. The values
 * follow the flags in the order of these rows. Bit 0 announces another word of flags, which no 0-9-1 property needs.
 */

export type PropertyType = 'shortstr' | 'table' | 'octet' | 'timestamp';

export const properties = {
  contentType: { bit: 15, type: 'shortstr' },
  contentEncoding: { bit: 14, type: 'shortstr' },
  headers: { bit: 13, type: 'table' },
  deliveryMode: { bit: 12, type: 'octet' },
  priority: { bit: 11, type: 'octet' },
  correlationId: { bit: 10, type: 'shortstr' },
  replyTo: { bit: 9, type: 'shortstr' },
  expiration: { bit: 8, type: 'shortstr' },
  messageId: { bit: 7, type: 'shortstr' },
  timestamp: { bit: 6, type: 'timestamp' },
  type: { bit: 5, type: 'shortstr' },
  userId: { bit: 4, type: 'shortstr' },
  appId: { bit: 3, type: 'shortstr' },
  clusterId: { bit: 2, type: 'shortstr' },
} as const satisfies Readonly<Record<string, { bit: number; type: PropertyType }>>;

export type PropertyName = keyof typeof properties;
