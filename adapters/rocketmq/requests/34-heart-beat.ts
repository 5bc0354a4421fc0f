// 34 HEART_BEAT: a client says which groups it belongs to and what they subscribe to; every 30 s and on every change.
//
// The first one of a consumer makes its group and its %RETRY% topic, and the reply waits for that, because clients ask
// for the route of the retry topic next. Members are listed at once: 38 follows without waiting.
//
// Of the version 2 heartbeat (fingerprints instead of subscriptions) the reply says it is not supported, by leaving
// IS_SUPPORT_HEART_BEAT_V2 out; clients then send the whole every time.

import type { Group } from '../../../core/types.ts';
import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { Connection } from '../connection.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import type { Subscription } from '../groups.ts';
import { isObject, type Json, list, parseObject, rawJson, text } from '../json-body.ts';
import { consumerGroup } from '../look-up.ts';
import { parseTagExpression } from '../tags.ts';

/** Groups in one heartbeat, and subscriptions of one group. */
const GROUPS_MAX = 512;
const SUBSCRIPTIONS_MAX = 4096;
const CLIENT_ID_CHARS_MAX = 255;

export const heartBeat: RequestHandler = (connection, header, frame) => {
  const body = parseObject(frame, header.bodyStart, header.bodyEnd);
  const clientId = text(body['clientID']);
  if (clientId === '' || clientId.length > CLIENT_ID_CHARS_MAX) {
    throw new RequestError(RESPONSE.SYSTEM_ERROR, 'the heartbeat has no usable clientID');
  }
  const consumers = list(body['consumerDataSet']);
  if (consumers.length > GROUPS_MAX) throw new RequestError(RESPONSE.SYSTEM_ERROR, `more than ${GROUPS_MAX} groups`);
  connection.clientVersion = header.version;
  const retryTopics: Promise<unknown>[] = [];
  for (const consumer of consumers) {
    if (!isObject(consumer)) continue;
    const group = join(connection, clientId, consumer);
    const { node, principal } = connection;
    if (node.broker.topicOfKind(node.namespace, 'retry', group.name) === null) {
      retryTopics.push(node.ensureTopic(principal, 'retry', group.name, 1));
    }
  }
  if (retryTopics.length === 0) {
    connection.answer(header, RESPONSE.SUCCESS);
    return;
  }
  connection.later(header, async (ticket) => {
    await Promise.all(retryTopics);
    connection.answer(ticket, RESPONSE.SUCCESS);
  });
};

function join(connection: Connection, clientId: string, consumer: Record<string, unknown>): Group {
  const wireGroup = text(consumer['groupName']);
  const group = consumerGroup(connection, wireGroup);
  const given = list(consumer['subscriptionDataSet']);
  if (given.length > SUBSCRIPTIONS_MAX) {
    throw new RequestError(RESPONSE.SYSTEM_ERROR, `more than ${SUBSCRIPTIONS_MAX} subscriptions in ${wireGroup}`);
  }
  const subscriptions = given.filter(isObject).map(subscriptionOf);
  const membership = {
    clientId,
    wireGroup,
    host: connection.info.remote.host,
    subscriptions,
    data: rawJson(consumer as Json),
  };
  connection.node.groups.join(connection.principal, group, membership, connection);
  connection.memberships.set(`${group.id} ${clientId}`, { clientId, group: group.id });
  return group;
}

function subscriptionOf(given: Record<string, unknown>): Subscription {
  const expression = text(given['subString']) || '*';
  const expressionType = text(given['expressionType']) || 'TAG';
  let hashes: ReadonlySet<number> | null = null;
  if (expressionType === 'TAG') {
    try {
      hashes = parseTagExpression(expression);
    } catch (cause) {
      throw new RequestError(
        RESPONSE.SUBSCRIPTION_PARSE_FAILED,
        cause instanceof Error ? cause.message : 'no expression',
      );
    }
  }
  const version = given['subVersion'];
  return {
    topic: text(given['topic']),
    expression,
    expressionType,
    version: typeof version === 'number' && Number.isSafeInteger(version) ? version : 0,
    hashes,
  };
}
