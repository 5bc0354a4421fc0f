// 11 PULL_MESSAGE and 361 LITE_PULL_MESSAGE: messages of one queue from an offset on, waiting for them if asked to.
//
// Checks in the order of the protocol's broker, so that clients react alike: broker, group, topic, queue id, what is
// forbidden, subscription (24: say hello again; 25: it is older than the client's own), filter type.

import type { Group, Offset, QueueNumber, Topic } from '../../../core/types.ts';
import { FORBIDDEN, PERM, PULL_FLAG } from '../../../specs/rocketmq/constants.ts';
import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { Connection } from '../connection.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { fieldNumber } from '../fields.ts';
import { groupConfig } from '../group-config.ts';
import { PROTOCOL } from '../groups.ts';
import type { Header } from '../header.ts';
import { askSubscriptions } from '../join-group.ts';
import { consumerGroup, queueOf } from '../look-up.ts';
import { pendingReset } from '../offset-reset.ts';
import { MAX_OFFSET, MIN_OFFSET, NEXT_BEGIN, SUGGEST } from '../pull-request.ts';
import { ReplyField } from '../reply.ts';
import { parseTagExpression } from '../tags.ts';
import { isReadable, topicConfig } from '../topic-config.ts';

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
const FORBIDDEN_TYPE = new ReplyField('forbiddenType');

/** Messages per reply: clients ask for 32 unless told otherwise. */
const MESSAGES_MAX = 1024;
/** Bytes per reply when the client does not say. */
const BYTES_DEFAULT = 256 * 1024;
const BYTES_MAX = 4 * 1024 * 1024;
const SUSPEND_MS_MAX = 60_000;

export const pullMessage: RequestHandler = (connection, header, frame) => {
  const { node, broker } = connection;
  if ((node.settings.permission & PERM.READ) === 0) {
    throw new RequestError(RESPONSE.NO_PERMISSION, `the broker[${node.brokerName}] pulling message is forbidden`);
  }
  const wireGroup = header.string(GROUP);
  const group = consumerGroup(connection, wireGroup);
  const rules = groupConfig(group);
  if (!rules.consumeEnable) {
    return forbid(connection, header, FORBIDDEN.GROUP, `subscription group no permission, ${wireGroup}`);
  }
  const wireTopic = header.string(TOPIC);
  const topic = node.topic(wireTopic);
  if (topic === null) {
    throw new RequestError(RESPONSE.TOPIC_NOT_EXIST, `topic[${wireTopic}] not exist, apply first please!`);
  }
  const config = topicConfig(topic);
  if (!isReadable(config)) {
    return forbid(connection, header, FORBIDDEN.TOPIC, `the topic[${wireTopic}] pulling message is forbidden`);
  }
  const queueId = header.int(QUEUE_ID);
  const queue = queueOf(topic, queueId, config.readQueueNums);
  if (group.protocol !== '' && group.protocol !== PROTOCOL) {
    throw new RequestError(RESPONSE.NO_PERMISSION, `group[${group.name}] is at work in ${group.protocol}`);
  }
  const sysFlag = header.int(SYS_FLAG);
  if ((sysFlag & PULL_FLAG.SUBSCRIPTION) === 0) {
    if (!rules.consumeBroadcastEnable && node.groups.isBroadcast(group)) {
      const remark = `the consumer group[${wireGroup}] can not consume by broadcast way`;
      return forbid(connection, header, FORBIDDEN.BROADCASTING, remark);
    }
    if (rules.forbidden.length > 0 && rules.forbidden.includes(wireTopic)) {
      const remark = `the consumer group[${wireGroup}] is forbidden for topic[${wireTopic}]`;
      return forbid(connection, header, FORBIDDEN.SUBSCRIPTION, remark);
    }
  }
  const hashes = tagHashes(connection, header, group, topic, wireTopic, sysFlag);
  if (hashes === 'outdated') {
    const asked = askSubscriptions(connection, group, header.long(SUB_VERSION));
    if (asked !== null) return connection.retryAfter(header, frame, asked);
    throw new RequestError(RESPONSE.SUBSCRIPTION_NOT_LATEST, "the consumer's subscription not latest");
  }
  const offset = header.long(QUEUE_OFFSET);
  const moved = pendingReset(broker, group, queue);
  // A client that has come to the place where its group was moved ends the mark of that.
  if (moved === offset) commitPlace(connection, group, queue, offset);
  else if (moved === null && (sysFlag & PULL_FLAG.COMMIT_OFFSET) !== 0) commit(connection, header, group, queue);
  const pull = connection.takePull();
  node.counts.pulls++;
  const suspendMs = (sysFlag & PULL_FLAG.SUSPEND) === 0 ? 0 : Math.min(header.longClamped(SUSPEND), SUSPEND_MS_MAX);
  pull.start(
    header,
    group,
    node.topicBytes(wireTopic),
    queueId,
    queue,
    offset,
    Math.min(Math.max(1, header.int(MAX_MSG_NUMS)), MESSAGES_MAX),
    Math.min(Math.max(1, header.int(MAX_MSG_BYTES, BYTES_DEFAULT)), BYTES_MAX),
    hashes,
    suspendMs > 0 ? broker.nowMs() + suspendMs : 0,
    moved !== null && moved !== offset ? moved : -1,
  );
};

/** A refusal that says which switch it was. */
function forbid(connection: Connection, header: Header, type: number, remark: string): void {
  connection.node.counts.errors++;
  const reply = connection.begin(header, RESPONSE.NO_PERMISSION, remark);
  reply.number(SUGGEST, 0);
  reply.number(NEXT_BEGIN, 0);
  reply.number(MIN_OFFSET, 0);
  reply.number(MAX_OFFSET, 0);
  reply.number(FORBIDDEN_TYPE, type);
  reply.endHeader();
  connection.finish(header);
}

/**
 * What passes: from the request when it brings its subscription, else from the group's heartbeats, unless the client has
 * a newer one than they told.
 */
function tagHashes(
  connection: Connection,
  header: Header,
  group: Group,
  topic: Topic,
  wireTopic: string,
  sysFlag: number,
): ReadonlySet<number> | null | 'outdated' {
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
  if (subscription.version < header.long(SUB_VERSION)) return 'outdated';
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
  commitPlace(connection, group, queue, offset);
}

function commitPlace(connection: Connection, group: Group, queue: QueueNumber, offset: Offset): void {
  const commitment = connection.offsets[0]!;
  commitment.queue = queue;
  commitment.offset = offset;
  connection.broker.commitOffsets(connection.principal, group, connection.offsets, null, 0);
}
