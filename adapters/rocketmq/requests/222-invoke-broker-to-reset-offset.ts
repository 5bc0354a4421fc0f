// 222 INVOKE_BROKER_TO_RESET_OFFSET: moves a group to a time, or one queue of it to an offset.
//
// On the server (useServerSideResetOffset, the default): the places are committed at once, whether the group is online
// or not, and pulls of its members are told (21). Waiting pulls are told without waiting for their time.
// Through the clients: every member is sent 220 and moves itself; nobody there is 206.

import type { Group, Offset, QueueNumber, Topic } from '../../../core/types.ts';
import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { Connection, Ticket } from '../connection.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { fieldNumber } from '../fields.ts';
import { PROTOCOL } from '../groups.ts';
import { type JsonObject, rawJson } from '../json-body.ts';
import { existingGroup, existingTopic, queueOf } from '../look-up.ts';
import { wireTopic } from '../names.ts';
import { markReset } from '../offset-reset.ts';
import { offsetTable, placeAt } from '../places.ts';
import { ReplyField } from '../reply.ts';
import { topicConfig } from '../topic-config.ts';

const GROUP = fieldNumber('group');
const TOPIC = fieldNumber('topic');
const QUEUE_ID = fieldNumber('queueId');
const OFFSET = fieldNumber('offset');
const TIMESTAMP = fieldNumber('timestamp');
const IS_FORCE = fieldNumber('isForce');

const RESET_CONSUMER_CLIENT_OFFSET = 220;
const TO_TOPIC = new ReplyField('topic');
const TO_GROUP = new ReplyField('group');
const TO_TIMESTAMP = new ReplyField('timestamp');
const TO_FORCE = new ReplyField('isForce');
/** Clients in these languages read a list instead of a table with objects as keys. */
const LIST_LANGUAGES: ReadonlySet<string> = new Set(['CPP', 'DOTNET']);

export const invokeBrokerToResetOffset: RequestHandler = (connection, header) => {
  const topic = existingTopic(connection, header.string(TOPIC));
  const wireGroup = header.string(GROUP);
  const group = existingGroup(connection, wireGroup);
  const timestamp = header.longClamped(TIMESTAMP);
  const isForce = header.boolean(IS_FORCE);
  if (!connection.node.settings.serverSideReset) {
    connection.later(header, (ticket) =>
      throughClients(connection, ticket, { topic, group, wireGroup, timestamp, isForce }),
    );
    return;
  }
  if (group.protocol !== '' && group.protocol !== PROTOCOL) {
    throw new RequestError(RESPONSE.NO_PERMISSION, `group[${wireGroup}] is at work in ${group.protocol}`);
  }
  const queueId = header.int(QUEUE_ID, -1);
  const queues = queueId < 0 ? readQueues(topic) : [queueOf(topic, queueId)];
  const given = queueId < 0 ? -1 : header.longClamped(OFFSET, -1);
  connection.later(header, async (ticket) => {
    const { broker, node, principal } = connection;
    const places = new Map<QueueNumber, Offset>();
    for (const queue of queues) {
      if (given >= 0) checkRange(connection, queue, given);
      places.set(queue, given >= 0 ? given : await placeAt(connection, queue, timestamp));
    }
    markReset(broker, principal, group, places);
    for (const queue of places.keys()) node.resetPulls(group, queue);
    connection.answerBody(ticket, rawJson({ offsetTable: offsetTable(connection, topic, places) }));
  });
};

const readQueues = (topic: Topic): readonly QueueNumber[] => topic.queues.slice(0, topicConfig(topic).readQueueNums);

function checkRange(connection: Connection, queue: QueueNumber, offset: Offset): void {
  const state = connection.broker.queue(queue);
  const min = state?.startOffset ?? 0;
  const max = state?.endOffset ?? 0;
  if (offset >= min && offset <= max) return;
  throw new RequestError(RESPONSE.SYSTEM_ERROR, `Target offset ${offset} not in consume queue range [${min}-${max}]`);
}

interface Reset {
  readonly topic: Topic;
  readonly group: Group;
  readonly wireGroup: string;
  readonly timestamp: number;
  readonly isForce: boolean;
}

async function throughClients(connection: Connection, ticket: Ticket, reset: Reset): Promise<void> {
  const { topic, group, wireGroup, timestamp, isForce } = reset;
  const { broker, node } = connection;
  const places = new Map<QueueNumber, Offset>();
  for (const queue of topic.queues.slice(0, topicConfig(topic).writeQueueNums)) {
    const consumed = broker.committed(group, queue)?.offset ?? -1;
    if (consumed < 0) throw new RequestError(RESPONSE.SYSTEM_ERROR, `The consumer group <${wireGroup}> not exist`);
    const place = await placeAt(connection, queue, timestamp);
    places.set(queue, isForce || place < consumed ? place : consumed);
  }
  const members = node.groups.members(group);
  if (members.length === 0) {
    throw new RequestError(
      RESPONSE.CONSUMER_NOT_ONLINE,
      `Consumer not online, so can not reset offset, Group: ${wireGroup} Topic: ${topic.name} Timestamp: ${timestamp}`,
    );
  }
  const table = offsetTable(connection, topic, places);
  const asTable = rawJson({ offsetTable: table });
  const asList = rawJson({ offsetTable: [...table].map(([queue, offset]) => ({ ...(queue as JsonObject), offset })) });
  const name = wireTopic(topic.kind, topic.name);
  for (const { connection: client, language } of members) {
    client.tell(
      RESET_CONSUMER_CLIENT_OFFSET,
      (request) => {
        request.text(TO_TOPIC, name);
        request.text(TO_GROUP, wireGroup);
        request.number(TO_TIMESTAMP, timestamp);
        request.boolean(TO_FORCE, isForce);
      },
      LIST_LANGUAGES.has(language) ? asList : asTable,
    );
  }
  connection.answerBody(ticket, asTable);
}
