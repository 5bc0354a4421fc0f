// 204 GET_PRODUCER_CONNECTION_LIST: the producers of a group that heartbeat over connections that are open.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { fieldNumber } from '../fields.ts';
import { rawJson } from '../json-body.ts';

const GROUP = fieldNumber('producerGroup');

export const getProducerConnectionList: RequestHandler = (connection, header) => {
  const group = header.string(GROUP);
  const producers = connection.node.producers.of(group);
  if (producers.length === 0) {
    throw new RequestError(RESPONSE.SYSTEM_ERROR, `the producer group[${group}] not exist`);
  }
  const connectionSet = producers.map(({ clientId, connection: client, language, version }) => ({
    clientAddr: client.remoteText,
    clientId,
    language,
    version,
  }));
  connection.answerBody(header, rawJson({ connectionSet }));
};
