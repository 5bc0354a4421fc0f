// 205 WIPE_WRITE_PERM_OF_BROKER and 327 ADD_WRITE_PERM_OF_BROKER: take the broker out of what producers are routed to, and
// put it back. Routes lose the write bit; a producer that sends nevertheless is served, so none loses a message.

import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import type { Connection } from '../connection.ts';
import type { RequestHandler } from '../dispatch.ts';
import { fieldNumber } from '../fields.ts';
import type { Header } from '../header.ts';
import { ReplyField } from '../reply.ts';

const BROKER_NAME = fieldNumber('brokerName');
const WIPED = new ReplyField('wipeTopicCount');
const ADDED = new ReplyField('addTopicCount');

export const wipeWritePermOfBroker: RequestHandler = (connection, header) => set(connection, header, true, WIPED);
export const addWritePermOfBroker: RequestHandler = (connection, header) => set(connection, header, false, ADDED);

function set(connection: Connection, header: Header, isWiped: boolean, count: ReplyField): void {
  const { broker, node, principal } = connection;
  const isOurs = header.string(BROKER_NAME) === node.brokerName;
  connection.later(header, async (ticket) => {
    const topics = isOurs && node.settings.writeWiped !== isWiped ? broker.topics(principal, node.namespace, true) : [];
    if (isOurs) await node.settings.wipeWrite(principal, isWiped);
    const reply = connection.begin(ticket, RESPONSE.SUCCESS);
    reply.number(count, topics.length);
    reply.endHeader();
    connection.finish(ticket);
  });
}
