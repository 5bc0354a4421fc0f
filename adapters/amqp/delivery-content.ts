/**
 * What a leased message looks like to an AMQP client: the stored octets of an AMQP publisher as they are, anything
 * else through the canonical message.
 */

import type { Leased, Topic } from '../../core/types.ts';
import type { Verbs } from '../../core/verbs.ts';
import { FORMAT } from '../adapter.ts';
import { outgoingOf } from './canonical.ts';
import { propertiesWithHeader } from './content-properties.ts';
import type { Counts } from './counts.ts';
import { fieldOf } from './field-table.ts';
import { textOf } from './queue-arguments.ts';
import { makeStored, StoredView } from './stored-message.ts';
import { shapeOf } from './topology.ts';

const offsetHeader = 'x-stream-offset';
const deliveriesHeader = 'x-delivery-count';

/** What deliveries from one topic or queue show beside the message. */
export interface Shown {
  readonly exchange: string;
  /** A header that is added: the message's offset, or how often it came back. */
  readonly counter: typeof offsetHeader | typeof deliveriesHeader | null;
  /** Whether a message that never came back says so: RabbitMQ counts from 0 for basic.get, else from 1. */
  readonly countsFrom: number;
}

/** A log topic shows its name and offsets, a quorum queue counts deliveries. */
export function shownOf(topic: Topic, countsFrom: number): Shown {
  if (topic.kind !== 'queue') return { exchange: topic.name, counter: offsetHeader, countsFrom: 0 };
  const type = textOf(fieldOf(shapeOf(topic).arguments, 'x-queue-type'));
  return { exchange: '', counter: type === 'quorum' ? deliveriesHeader : null, countsFrom };
}

export class DeliveryContent {
  /** A stored message; `view` tells where its parts lie. Good until the next `take`. */
  payload: Buffer = Buffer.alloc(0);
  readonly view = new StoredView();
  readonly #counts: Counts;

  constructor(counts: Counts) {
    this.#counts = counts;
  }

  /** How the reader's queue is shown: `exchange` to readers of messages that do not say where they were published. Throws BrokerError. */
  take(broker: Verbs, leased: Leased, { exchange, counter, countsFrom }: Shown): void {
    const { unit, record } = leased;
    this.payload = unit.payload;
    if (unit.format !== FORMAT.amqp) {
      const out = outgoingOf(broker.messages(unit)[record]!, exchange);
      this.payload = makeStored(0, out.exchange, out.routingKey, out.properties, out.body);
      this.#counts.conversions++;
    }
    const view = this.view.read(this.payload);
    if (counter !== null && leased.deliveries >= countsFrom) {
      view.changedProperties = propertiesWithHeader(
        this.payload,
        view.propertiesAt,
        view.propertiesAt + view.propertiesBytes,
        counter,
        counter === offsetHeader ? leased.offset : leased.deliveries,
      );
    }
    this.#counts.delivered++;
  }
}
