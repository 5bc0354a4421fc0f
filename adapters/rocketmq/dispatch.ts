// The dispatch table: one file per request under requests/, found by code.
//
// Invariant: the table holds exactly the requests that specs/rocketmq/requests.ts calls served or refused; a test
// compares them. Everything else is answered with REQUEST_CODE_NOT_SUPPORTED, which clients probe for.

import { REQUESTS } from '../../specs/rocketmq/requests.ts';
import { RESPONSE } from '../../specs/rocketmq/response-codes.ts';
import type { Connection } from './connection.ts';
import { type FieldNumber, fieldName, fieldNumber } from './fields.ts';
import { type Header, HeaderError } from './header.ts';
import { sendMessage } from './requests/10-send-message.ts';
import { pullMessage } from './requests/11-pull-message.ts';
import { queryMessage } from './requests/12-query-message.ts';
import { queryConsumerOffset } from './requests/14-query-consumer-offset.ts';
import { updateConsumerOffset } from './requests/15-update-consumer-offset.ts';
import { updateAndCreateTopic } from './requests/17-update-and-create-topic.ts';
import { searchOffsetByTimestamp } from './requests/29-search-offset-by-timestamp.ts';
import { getMaxOffset } from './requests/30-get-max-offset.ts';
import { getMinOffset } from './requests/31-get-min-offset.ts';
import { getEarliestMsgStoretime } from './requests/32-get-earliest-msg-storetime.ts';
import { viewMessageById } from './requests/33-view-message-by-id.ts';
import { heartBeat } from './requests/34-heart-beat.ts';
import { unregisterClient } from './requests/35-unregister-client.ts';
import { consumerSendMsgBack } from './requests/36-consumer-send-msg-back.ts';
import { endTransaction } from './requests/37-end-transaction.ts';
import { getConsumerListByGroup } from './requests/38-get-consumer-list-by-group.ts';
import { lockBatchMq } from './requests/41-lock-batch-mq.ts';
import { unlockBatchMq } from './requests/42-unlock-batch-mq.ts';
import { checkClientConfig } from './requests/46-check-client-config.ts';
import { getRouteInfoByTopic } from './requests/105-get-routeinfo-by-topic.ts';
import { getBrokerClusterInfo } from './requests/106-get-broker-cluster-info.ts';
import { updateAndCreateSubscriptionGroup } from './requests/200-update-and-create-subscriptiongroup.ts';
import { getTopicStatsInfo } from './requests/202-get-topic-stats-info.ts';
import { getConsumerConnectionList } from './requests/203-get-consumer-connection-list.ts';
import { getAllTopicList } from './requests/206-get-all-topic-list.ts';
import { deleteSubscriptionGroup } from './requests/207-delete-subscriptiongroup.ts';
import { getConsumeStats } from './requests/208-get-consume-stats.ts';
import { deleteTopicInBroker } from './requests/215-delete-topic-in-broker.ts';
import { deleteTopicInNamesrv } from './requests/216-delete-topic-in-namesrv.ts';
import { getTopicsByCluster } from './requests/224-get-topics-by-cluster.ts';
import { queryTopicConsumeByWho } from './requests/300-query-topic-consume-by-who.ts';
import { sendMessageV2 } from './requests/310-send-message-v2.ts';
import { sendBatchMessage } from './requests/320-send-batch-message.ts';
import { getTopicConfig } from './requests/351-get-topic-config.ts';

export type RequestHandler = (connection: Connection, header: Header, frame: Buffer) => void;

const HANDLERS: readonly (readonly [code: number, handler: RequestHandler])[] = [
  [10, sendMessage],
  [310, sendMessageV2],
  [320, sendBatchMessage],
  [37, endTransaction],
  [34, heartBeat],
  [35, unregisterClient],
  [38, getConsumerListByGroup],
  [41, lockBatchMq],
  [42, unlockBatchMq],
  [46, checkClientConfig],
  [11, pullMessage],
  [361, pullMessage],
  [12, queryMessage],
  [14, queryConsumerOffset],
  [15, updateConsumerOffset],
  [29, searchOffsetByTimestamp],
  [30, getMaxOffset],
  [31, getMinOffset],
  [32, getEarliestMsgStoretime],
  [33, viewMessageById],
  [36, consumerSendMsgBack],
  [105, getRouteInfoByTopic],
  [106, getBrokerClusterInfo],
  [206, getAllTopicList],
  [224, getTopicsByCluster],
  [216, deleteTopicInNamesrv],
  [17, updateAndCreateTopic],
  [215, deleteTopicInBroker],
  [351, getTopicConfig],
  [200, updateAndCreateSubscriptionGroup],
  [207, deleteSubscriptionGroup],
  [202, getTopicStatsInfo],
  [203, getConsumerConnectionList],
  [208, getConsumeStats],
  [300, queryTopicConsumeByWho],
];

interface Entry {
  readonly handler: RequestHandler;
  readonly required: readonly FieldNumber[];
}

/** Codes below this, which all served ones are, index an array. */
const CODES_MAX = 512;
const table: (Entry | undefined)[] = Array.from({ length: CODES_MAX });
for (const [code, handler] of HANDLERS) {
  const row = REQUESTS.find((request) => request.code === code);
  if (row === undefined) throw new Error(`no row for request ${code}`);
  const required = row.fields.filter((field) => field.required).map((field) => fieldNumber(field.name));
  table[code] = { handler, required };
}

/** Codes that have a handler, for the test against the rows. */
export function handledCodes(): number[] {
  return HANDLERS.map(([code]) => code);
}

export function dispatch(connection: Connection, header: Header, frame: Buffer): void {
  const entry = table[header.code];
  if (entry === undefined) {
    connection.node.counts.unsupported++;
    connection.answer(header, RESPONSE.REQUEST_CODE_NOT_SUPPORTED, `request type ${header.code} not supported`);
    return;
  }
  const required = entry.required;
  for (let i = 0; i < required.length; i++) {
    const field = required[i]!;
    if (!header.has(field)) throw new HeaderError(`the custom field <${fieldName(field)}> is null`);
  }
  entry.handler(connection, header, frame);
}
