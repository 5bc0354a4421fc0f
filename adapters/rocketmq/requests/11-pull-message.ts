// 11 PULL_MESSAGE and 361 LITE_PULL_MESSAGE: messages of one queue from an offset on, waiting for them if asked to.
//
// Checks in the order of the protocol's broker, so that clients react alike: topic, queue id, subscription (24: say
// hello again; 25: it is older than the client's own), filter type.

import type { Group, Topic } from '../../../core/types.ts';
import { PULL_FLAG } from '../../../specs/rocketmq/constants.ts';
import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { Connection } from '../connection.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { fieldNumber } from '../fields.ts';
import { PROTOCOL } from '../groups.ts';
import type { Header } from '../header.ts';
import { consumerGroup, queueOf } from '../look-up.ts';
import { parseTagExpression } from '../tags.ts';

const TOPIC = fieldNumber('topic');
const QUEUE_ID = fieldNumber('queueId');
const QUEUE_OFFSET = fieldNumber('queueOffset');
const MAX_MSG_NUMS = fieldNumber('maxMsgNums');
const MAX_MSG_BYTES = fieldNumber('maxMsgBytes');
const SYS_FLAG = fieldNumber('sysFlag');
const COMMIT_OFFSET = fieldNumber('commitOffset');
const SUSPEND = fieldNumber('suspendTimeoutMillis');
const SUB_VERSION = fieldNumber('subVersion');
const SUBSCRIPTION = fieldNumber('subscription');
const EXPRESSION_TYPE = fieldNumber('expressionType');
const GROUP = fieldNumber('consumerGroup');

/** Messages per reply: clients ask for 32 unless told otherwise. */
const MESSAGES_MAX = 1024;
/** Bytes per reply when the client does not say. */
const BYTES_DEFAULT = 256 * 1024;
const BYTES_MAX = 4 * 1024 * 1024;
const SUSPEND_MS_MAX = 60_000;

export const pullMessage: RequestHandler = (connection, header) => {
  const wireTopic = header.string(TOPIC);
  const topic = connection.node.topic(wireTopic);
  if (topic === null) {
    throw new RequestError(RESPONSE.TOPIC_NOT_EXIST, `topic[${wireTopic}] not exist, apply first please!`);
  }
  const queueId = header.int(QUEUE_ID);
  const queue = queueOf(topic, queueId);
  const group = consumerGroup(connection, header.string(GROUP));
  if (group.protocol !== '' && group.protocol !== PROTOCOL) {
    throw new RequestError(RESPONSE.NO_PERMISSION, `group[${group.name}] is at work in ${group.protocol}`);
  }
  const sysFlag = header.int(SYS_FLAG);
  const hashes = tagHashes(connection, header, group, topic, wireTopic, sysFlag);
  const pull = connection.takePull();
  const suspendMs = (sysFlag & PULL_FLAG.SUSPEND) === 0 ? 0 : Math.min(header.longClamped(SUSPEND), SUSPEND_MS_MAX);
  if ((sysFlag & PULL_FLAG.COMMIT_OFFSET) !== 0) commit(connection, header, group, queue);
  pull.start(
    header,
    connection.node.topicBytes(wireTopic),
    queueId,
    queue,
    header.long(QUEUE_OFFSET),
    Math.min(Math.max(1, header.int(MAX_MSG_NUMS)), MESSAGES_MAX),
    Math.min(Math.max(1, header.int(MAX_MSG_BYTES, BYTES_DEFAULT)), BYTES_MAX),
    hashes,
    suspendMs > 0 ? connection.broker.nowMs() + suspendMs : 0,
  );
};

/** What passes: from the request when it brings its subscription, else from the group's heartbeats. */
function tagHashes(
  connection: Connection,
  header: Header,
  group: Group,
  topic: Topic,
  wireTopic: string,
  sysFlag: number,
): ReadonlySet<number> | null {
  if ((sysFlag & PULL_FLAG.SUBSCRIPTION) !== 0) {
    checkExpressionType(header.string(EXPRESSION_TYPE, 'TAG'));
    try {
      return parseTagExpression(header.string(SUBSCRIPTION, '*'));
    } catch (cause) {
      throw new RequestError(
        RESPONSE.SUBSCRIPTION_PARSE_FAILED,
        cause instanceof Error ? cause.message : 'not a tag expression',
      );
    }
  }
  const { groups } = connection.node;
  if (!groups.isOnline(group)) {
    throw new RequestError(RESPONSE.SUBSCRIPTION_NOT_EXIST, "the consumer's group info not exist");
  }
  const subscription = groups.subscription(group, wireTopic);
  if (subscription === null) {
    throw new RequestError(RESPONSE.SUBSCRIPTION_NOT_EXIST, `the consumer's subscription to ${topic.name} not exist`);
  }
  if (subscription.version < header.long(SUB_VERSION)) {
    throw new RequestError(RESPONSE.SUBSCRIPTION_NOT_LATEST, "the consumer's subscription not latest");
  }
  checkExpressionType(subscription.expressionType);
  return subscription.hashes;
}

/** As a broker with enablePropertyFilter=false. */
export function checkExpressionType(expressionType: string): void {
  if (expressionType === 'TAG' || expressionType === '') return;
  throw new RequestError(
    RESPONSE.SYSTEM_ERROR,
    `The broker does not support consumer to filter message by ${expressionType}`,
  );
}

/** The offset that a pull brings along: committed only when it says something new, since every pull brings it. */
function commit(connection: Connection, header: Header, group: Group, queue: number): void {
  const offset = header.long(COMMIT_OFFSET);
  if (offset < 0 || connection.broker.committed(group, queue)?.offset === offset) return;
  const commitment = connection.offsets[0]!;
  commitment.queue = queue;
  commitment.offset = offset;
  connection.broker.commitOffsets(connection.principal, group, connection.offsets, null, 0);
}
