/** An empty append, to be reused. */
import { TAG_NONE } from '../types.ts';
import type { Append } from '../verbs.ts';

const NOTHING = Buffer.alloc(0);

export function emptyAppend(): Append {
  return {
    topic: null,
    queue: 0,
    exchange: null,
    namespace: 'default',
    routingKey: null,
    format: 0,
    payload: NOTHING,
    records: 1,
    key: null,
    tagHash: TAG_NONE,
    keys: null,
    recordTimeMaxMs: 0,
    flags: 0,
    producerId: -1,
    producerEpoch: 0,
    baseSequence: 0,
    expiryMs: 0,
    priority: 0,
    notBeforeMs: 0,
  };
}
