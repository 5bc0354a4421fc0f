/** The codec of stored AMQP messages, registered with the core under the format tag `amqp`. One record per payload. */

import { BrokerError } from '../../core/errors.ts';
import type { Codec, DeadLetter, Death, Message } from '../../core/types.ts';
import { FORMAT } from '../adapter.ts';
import { WireError } from '../wire/wire-error.ts';
import { messageOfStored } from './canonical.ts';
import { deadLetterOf } from './dead-letter.ts';
import { StoredView } from './stored-message.ts';

const view = new StoredView();

export const codec: Codec = {
  format: FORMAT.amqp,
  name: 'amqp',

  decode(payload: Buffer, bytesMax: number): Message[] {
    if (payload.length > bytesMax) {
      throw new BrokerError('message-too-large', `an AMQP message of ${payload.length} bytes exceeds ${bytesMax}`);
    }
    return [readable(() => messageOfStored(payload))];
  },

  routed(payload: Buffer): Message {
    return readable(() => messageOfStored(payload, false));
  },

  deadLetter(payload: Buffer, _record: number, death: Death): DeadLetter {
    const letter = readable(() => deadLetterOf(payload, death));
    const { key, tag } = readable(() => messageOfStored(letter.payload));
    return { format: FORMAT.amqp, key, tag, ...letter };
  },

  bodyBytes(payload: Buffer): number {
    return view.read(payload).bodyBytes;
  },
};

/** A payload was checked when it was published; one that cannot be read now is damaged. */
function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof WireError) throw new BrokerError('corrupt-message', error.message, { cause: error });
    throw error;
  }
}
