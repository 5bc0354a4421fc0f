// 223 INVOKE_BROKER_TO_GET_CONSUMER_STATUS: asks the members of a group (or one of them) by 221 where they are in their
// queues, and hands their tables on by client id.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { RequestHandler } from '../dispatch.ts';
import { RequestError } from '../errors.ts';
import { fieldNumber } from '../fields.ts';
import { existingGroup } from '../look-up.ts';
import { ReplyField } from '../reply.ts';

const GROUP = fieldNumber('group');
const TOPIC = fieldNumber('topic');
const CLIENT = fieldNumber('clientAddr');
const GET_CONSUMER_STATUS_FROM_CLIENT = 221;
const TO_TOPIC = new ReplyField('topic');
const TO_GROUP = new ReplyField('group');
const MEMBERS_MAX = 1000;
const TABLE_NAME = '"messageQueueTable":';

export const invokeBrokerToGetConsumerStatus: RequestHandler = (connection, header) => {
  const wireGroup = header.string(GROUP);
  const wireTopic = header.string(TOPIC);
  const only = header.string(CLIENT);
  const group = existingGroup(connection, wireGroup);
  const members = connection.node.groups
    .members(group)
    .filter(({ membership }) => only === '' || membership.clientId === only)
    .slice(0, MEMBERS_MAX);
  if (members.length === 0) {
    throw new RequestError(
      RESPONSE.CONSUMER_NOT_ONLINE,
      `No Any Consumer online in the consumer group: [${wireGroup}]`,
    );
  }
  connection.later(header, async (ticket) => {
    const tables = await Promise.all(
      members.map(async ({ connection: client, membership }) => {
        const answer = await client.ask(GET_CONSUMER_STATUS_FROM_CLIENT, (request) => {
          request.text(TO_TOPIC, wireTopic);
          request.text(TO_GROUP, wireGroup);
        });
        if (answer.code !== RESPONSE.SUCCESS) return '';
        return `${JSON.stringify(membership.clientId)}:${tableOf(answer.body.toString())}`;
      }),
    );
    const body = `{"consumerTable":{${tables.filter((table) => table !== '').join(',')}}}`;
    connection.answerBody(ticket, Buffer.from(body));
  });
};

/** The client's table as it wrote it: its keys are objects, in whichever dialect the client speaks. */
function tableOf(body: string): string {
  const at = body.indexOf(TABLE_NAME);
  if (at < 0) return '{}';
  const start = at + TABLE_NAME.length;
  let depth = 0;
  for (let i = start; i < body.length; i++) {
    const char = body[i];
    if (char === '"') while (++i < body.length && body[i] !== '"') if (body[i] === '\\') i++;
    if (char === '{') depth++;
    else if (char === '}' && --depth === 0) return body.slice(start, i + 1);
  }
  return '{}';
}
