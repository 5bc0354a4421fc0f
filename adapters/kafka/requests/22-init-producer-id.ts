// InitProducerId (22): an identity for an idempotent producer (KIP-98, KIP-360). It is committed before it is given out.
//
// Transactional ids are refused: transactions are not served, and a producer that believed them would lose what it
// thinks is atomic. TRANSACTIONAL_ID_AUTHORIZATION_FAILED is the one error that every client takes as final.
// A producer that asks for a new epoch (v3+, after an error) gets a new identity instead: its sequence begins at 0 in
// both cases, so it cannot tell the difference.
import { initProducerId } from '../../../specs/kafka/cluster.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';

export const initProducerIdRoute: Route = { api: initProducerId, handle: init };

async function init(call: Call): Promise<void> {
  const request = call.request(initProducerId);
  if (request.transactionalId !== null) {
    call.node.counts.errors++;
    call.reply(initProducerId, { errorCode: ERROR.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, producerEpoch: -1 });
    return;
  }
  try {
    const { producerId, producerEpoch } = await call.node.broker.newProducer(call.principal);
    call.reply(initProducerId, { errorCode: ERROR.NONE, producerId, producerEpoch });
  } catch (error) {
    call.node.counts.errors++;
    call.reply(initProducerId, { errorCode: errorCode(error, 'cluster'), producerEpoch: -1 });
  }
}
