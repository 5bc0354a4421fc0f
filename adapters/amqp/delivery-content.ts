/**
 * What a leased message looks like to an AMQP client: the stored octets of an AMQP publisher as they are, anything
 * else through the canonical message.
 */

import type { Leased } from '../../core/types.ts';
import type { Verbs } from '../../core/verbs.ts';
import { FORMAT } from '../adapter.ts';
import { outgoingOf } from './canonical.ts';
import type { Counts } from './counts.ts';
import { makeStored, StoredView } from './stored-message.ts';

export class DeliveryContent {
  /** A stored message; `view` tells where its parts lie. Good until the next `take`. */
  payload: Buffer = Buffer.alloc(0);
  readonly view = new StoredView();
  readonly #counts: Counts;

  constructor(counts: Counts) {
    this.#counts = counts;
  }

  /** `exchange` is named to readers of messages that do not say where they were published. Throws BrokerError. */
  take(broker: Verbs, leased: Leased, exchange: string): void {
    const { unit, record } = leased;
    this.payload = unit.payload;
    if (unit.format !== FORMAT.amqp) {
      const out = outgoingOf(broker.messages(unit)[record]!, exchange);
      this.payload = makeStored(0, out.exchange, out.routingKey, out.properties, out.body);
      this.#counts.conversions++;
    }
    this.view.read(this.payload);
    this.#counts.delivered++;
  }
}
