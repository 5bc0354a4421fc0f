// How a client becomes a member of a group, or says something new of itself: by its heartbeat (34), or asked by us.
//
// A push consumer of Java raises the version of a subscription whenever its queues change, and says so with a heartbeat of
// its own, but leaves that one out while another is under way. Its pulls then name a version that nobody told us, and are
// refused (25) until its next heartbeat, up to half a minute later. So such a client is asked what it subscribes to (307)
// before its pull is refused, once per version.

import type { Group } from '../../core/types.ts';
import { RESPONSE } from '../../specs/rocketmq/response-codes.ts';
import type { Connection } from './connection.ts';
import { RequestError, responseCode } from './errors.ts';
import type { Present, Subscription } from './groups.ts';
import { isObject, type Json, list, parseObject, rawJson, text } from './json-body.ts';
import { consumerGroup } from './look-up.ts';
import { type Reply, ReplyField } from './reply.ts';
import { parseTagExpression } from './tags.ts';

const SUBSCRIPTIONS_MAX = 4096;
/** Some clients answer no request of a broker; their pull waits so long. */
const ANSWER_MS = 2_000;
const GET_CONSUMER_RUNNING_INFO = 307;
const GROUP = new ReplyField('consumerGroup');
const CLIENT_ID = new ReplyField('clientId');
const WITH_STACKS = new ReplyField('jstackEnable');

export interface Client {
  readonly clientId: string;
  readonly language: string;
  readonly version: number;
}

/** Makes the client a member as the consumer's part of its heartbeat says. */
export function join(connection: Connection, client: Client, consumer: Record<string, unknown>): Group {
  const { clientId, language, version } = client;
  const wireGroup = text(consumer['groupName']);
  const group = consumerGroup(connection, wireGroup);
  const given = list(consumer['subscriptionDataSet']);
  if (given.length > SUBSCRIPTIONS_MAX) {
    throw new RequestError(RESPONSE.SYSTEM_ERROR, `more than ${SUBSCRIPTIONS_MAX} subscriptions in ${wireGroup}`);
  }
  const membership = {
    clientId,
    wireGroup,
    host: connection.info.remote.host,
    isBroadcast: text(consumer['messageModel']) === 'BROADCASTING',
    subscriptions: given.filter(isObject).map(subscriptionOf),
    data: rawJson(consumer as Json),
  };
  const { node, principal } = connection;
  const present = { connection, membership, language, version, askedVersion: -1, asking: null };
  if (node.groups.join(principal, group, present)) node.refilterPulls(group);
  connection.memberships.set(`${group.id} ${clientId}`, { clientId, group: group.id });
  return group;
}

/**
 * Asks the client of this connection what it subscribes to, when it may know a version that its heartbeats have not told
 * yet. Null when it is no member, or has been asked about this version before.
 */
export function askSubscriptions(connection: Connection, group: Group, version: number): Promise<void> | null {
  const present = connection.node.groups.memberOf(group, connection);
  if (present === null) return null;
  if (version <= present.askedVersion) return present.asking;
  present.askedVersion = version;
  present.asking = takeSubscriptions(connection, present)
    .catch((error: unknown) => {
      // A client that does not answer, or not in words of the protocol, is refused as before.
      if (responseCode(error) === null) throw error;
    })
    .finally(() => {
      present.asking = null;
    });
  return present.asking;
}

async function takeSubscriptions(connection: Connection, present: Present): Promise<void> {
  const { membership, language, version, askedVersion } = present;
  const fields = (request: Reply): void => {
    request.text(GROUP, membership.wireGroup);
    request.text(CLIENT_ID, membership.clientId);
    request.text(WITH_STACKS, 'false');
  };
  const answer = await connection.ask(GET_CONSUMER_RUNNING_INFO, fields, null, ANSWER_MS);
  if (answer.code !== RESPONSE.SUCCESS) return;
  const subscriptionDataSet = list(parseObject(answer.body, 0, answer.body.length)['subscriptionSet']);
  if (subscriptionDataSet.length === 0) return;
  const { data } = membership;
  const consumer = { ...parseObject(data, 0, data.length), subscriptionDataSet };
  const group = join(connection, { clientId: membership.clientId, language, version }, consumer);
  const joined = connection.node.groups.memberOf(group, connection);
  if (joined !== null) joined.askedVersion = askedVersion;
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
