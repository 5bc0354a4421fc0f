// 328 GET_ALL_PRODUCER_INFO: all producers by group.

import type { RequestHandler } from '../dispatch.ts';
import { type Json, rawJson } from '../json-body.ts';

export const getAllProducerInfo: RequestHandler = (connection, header) => {
  const data: Record<string, Json> = {};
  for (const [group, producers] of connection.node.producers.all()) {
    data[group] = [...producers.values()].map(({ clientId, connection: client, language, version, lastSeenMs }) => ({
      clientId,
      language,
      lastUpdateTimestamp: lastSeenMs,
      remoteIP: client.remoteText,
      version,
    }));
  }
  connection.answerBody(header, rawJson({ data }));
};
