/**
 * What the server tells of itself in connection.start. Clients look at more of it than they should: pika refuses
 * confirms without `publisher_confirms` and `basic.nack`, bunny needs `capabilities` to be a table, kombu compares
 * product and version, so both can be configured.
 */

import type { AdapterContext } from '../adapter.ts';
import type { FieldTable, TableEntry } from './field-table.ts';

const capabilities = [
  'publisher_confirms',
  'exchange_exchange_bindings',
  'basic.nack',
  'consumer_cancel_notify',
  'connection.blocked',
  'consumer_priorities',
  'authentication_failure_close',
  'per_consumer_qos',
  'direct_reply_to',
] as const;

export function serverProperties({ settings, broker }: AdapterContext): FieldTable {
  const flags = capabilities.map((key): TableEntry => ({ key, field: { type: 't', value: true } }));
  return [
    { key: 'capabilities', field: { type: 'F', value: flags } },
    text('product', String(settings['productName'] ?? 'RosettaMQ')),
    text('version', String(settings['productVersion'] ?? '0.1.0')),
    text('platform', `Node.js ${process.versions.node}`),
    text('cluster_name', broker.clusterId),
    text('copyright', 'The RosettaMQ authors'),
    text('information', 'Licensed under the Apache License 2.0'),
  ];
}

function text(key: string, value: string): TableEntry {
  return { key, field: { type: 'S', value: Buffer.from(value) } };
}
