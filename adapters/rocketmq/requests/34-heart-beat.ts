// 34 HEART_BEAT: a client says which groups it belongs to and what they subscribe to; every 30 s and on every change.
//
// The first one of a consumer makes its group and its %RETRY% topic, and the reply waits for that, because clients ask
// for the route of the retry topic next. Members are listed at once: 38 follows without waiting.
//
// Version 2: a client gives its whole heartbeat a fingerprint, and leaves the subscriptions out while nothing changes
// (`withoutSub`). A client that is not known here (any more) under that fingerprint is told IS_SUB_CHANGE and sends the
// whole next time; what it said last is put back until then.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { Connection, Ticket } from '../connection.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { groupConfig } from '../group-config.ts';
import type { Header } from '../header.ts';
import { type Client, join } from '../join-group.ts';
import { isObject, list, parseObject, text } from '../json-body.ts';
import { groupName } from '../look-up.ts';
import { ReplyField } from '../reply.ts';

/** Groups in one heartbeat. */
const GROUPS_MAX = 512;
const CLIENT_ID_CHARS_MAX = 255;
const SUPPORTS_V2 = new ReplyField('IS_SUPPORT_HEART_BEAT_V2');
const IS_SUB_CHANGE = new ReplyField('IS_SUB_CHANGE');

export const heartBeat: RequestHandler = (connection, header, frame) => {
  const body = parseObject(frame, header.bodyStart, header.bodyEnd);
  const clientId = text(body['clientID']);
  if (clientId === '' || clientId.length > CLIENT_ID_CHARS_MAX) {
    throw new RequestError(RESPONSE.SYSTEM_ERROR, 'the heartbeat has no usable clientID');
  }
  const consumers = list(body['consumerDataSet']);
  if (consumers.length > GROUPS_MAX) throw new RequestError(RESPONSE.SYSTEM_ERROR, `more than ${GROUPS_MAX} groups`);
  producersOf(connection, header, clientId, list(body['producerDataSet']));
  const client: Client = { clientId, language: header.language, version: header.version };
  const fingerprint = Number(body['heartbeatFingerprint'] ?? 0);
  const isShort = fingerprint !== 0 && body['withoutSub'] === true;
  let isUnknown = false;
  const retryTopics: Promise<unknown>[] = [];
  for (const consumer of consumers) {
    if (!isObject(consumer)) continue;
    const { node, principal } = connection;
    if (isShort) {
      if (!again(connection, client, consumer, fingerprint)) isUnknown = true;
      continue;
    }
    const group = join(connection, client, consumer);
    if (fingerprint !== 0) node.heartbeats.remember(heartbeatKey(clientId, consumer), fingerprint, consumer);
    const { retryQueueNums } = groupConfig(group);
    if (retryQueueNums > 0 && node.broker.topicOfKind(node.namespace, 'retry', group.name) === null) {
      retryTopics.push(node.ensureTopic(principal, 'retry', group.name, retryQueueNums));
    }
  }
  const answer = (ticket: Ticket): void => {
    const reply = connection.begin(ticket, RESPONSE.SUCCESS);
    if (fingerprint !== 0) {
      reply.boolean(SUPPORTS_V2, true);
      reply.boolean(IS_SUB_CHANGE, isUnknown);
    }
    reply.endHeader();
    connection.finish(ticket);
  };
  if (retryTopics.length === 0) {
    answer(header);
    return;
  }
  const { groups } = connection.node;
  connection.later(header, async (ticket) => {
    groups.hold(connection);
    try {
      await Promise.all(retryTopics);
      answer(ticket);
    } finally {
      groups.release(connection);
    }
  });
};

const heartbeatKey = (clientId: string, consumer: Record<string, unknown>): string =>
  `${clientId} ${text(consumer['groupName'])}`;

/** A consumer that did not repeat its subscriptions. False when the client must. */
function again(
  connection: Connection,
  client: Client,
  consumer: Record<string, unknown>,
  fingerprint: number,
): boolean {
  const { node } = connection;
  const known = node.heartbeats.recall(heartbeatKey(client.clientId, consumer), fingerprint);
  if (known === null) return false;
  const group = node.broker.group(node.namespace, groupName(text(consumer['groupName'])));
  if (group === null || !node.groups.touch(group, client.clientId, connection)) join(connection, client, known);
  return true;
}

function producersOf(connection: Connection, header: Header, clientId: string, groups: readonly unknown[]): void {
  for (const producer of groups.slice(0, GROUPS_MAX)) {
    if (!isObject(producer)) continue;
    const group = text(producer['groupName']);
    if (group === '' || group.length > CLIENT_ID_CHARS_MAX) continue;
    connection.node.producers.seen(group, {
      clientId,
      connection,
      language: header.language,
      version: header.version,
      lastSeenMs: connection.broker.nowMs(),
    });
    connection.producing.set(`${group} ${clientId}`, { group, clientId });
  }
}
