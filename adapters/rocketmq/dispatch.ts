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
import { updateAndCreateTopicList } from './requests/18-update-and-create-topic-list.ts';
import { getAllTopicConfig } from './requests/21-get-all-topic-config.ts';
import { updateBrokerConfig } from './requests/25-update-broker-config.ts';
import { getBrokerConfig } from './requests/26-get-broker-config.ts';
import { getBrokerRuntimeInfo } from './requests/28-get-broker-runtime-info.ts';
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
import { putKvConfig } from './requests/100-put-kv-config.ts';
import { getKvConfig } from './requests/101-get-kv-config.ts';
import { deleteKvConfig } from './requests/102-delete-kv-config.ts';
import { getRouteInfoByTopic } from './requests/105-get-routeinfo-by-topic.ts';
import { getBrokerClusterInfo } from './requests/106-get-broker-cluster-info.ts';
import { updateAndCreateSubscriptionGroup } from './requests/200-update-and-create-subscriptiongroup.ts';
import { getAllSubscriptionGroupConfig } from './requests/201-get-all-subscriptiongroup-config.ts';
import { getTopicStatsInfo } from './requests/202-get-topic-stats-info.ts';
import { getConsumerConnectionList } from './requests/203-get-consumer-connection-list.ts';
import { getProducerConnectionList } from './requests/204-get-producer-connection-list.ts';
import { addWritePermOfBroker, wipeWritePermOfBroker } from './requests/205-wipe-write-perm-of-broker.ts';
import { getAllTopicList } from './requests/206-get-all-topic-list.ts';
import { deleteSubscriptionGroup } from './requests/207-delete-subscriptiongroup.ts';
import { getConsumeStats } from './requests/208-get-consume-stats.ts';
import { deleteTopicInBroker } from './requests/215-delete-topic-in-broker.ts';
import { deleteTopicInNamesrv } from './requests/216-delete-topic-in-namesrv.ts';
import { registerTopicInNamesrv } from './requests/217-register-topic-in-namesrv.ts';
import { getKvlistByNamespace } from './requests/219-get-kvlist-by-namespace.ts';
import { invokeBrokerToResetOffset } from './requests/222-invoke-broker-to-reset-offset.ts';
import { invokeBrokerToGetConsumerStatus } from './requests/223-invoke-broker-to-get-consumer-status.ts';
import { getTopicsByCluster } from './requests/224-get-topics-by-cluster.ts';
import { updateAndCreateSubscriptionGroupList } from './requests/225-update-and-create-subscriptiongroup-list.ts';
import { queryTopicConsumeByWho } from './requests/300-query-topic-consume-by-who.ts';
import { queryConsumeTimeSpan } from './requests/303-query-consume-time-span.ts';
import { getSystemTopicListFromBroker, getSystemTopicListFromNs } from './requests/304-get-system-topic-list.ts';
import { getConsumerRunningInfo } from './requests/307-get-consumer-running-info.ts';
import { queryCorrectionOffset } from './requests/308-query-correction-offset.ts';
import { consumeMessageDirectly } from './requests/309-consume-message-directly.ts';
import { sendMessageV2 } from './requests/310-send-message-v2.ts';
import { cloneGroupOffset } from './requests/314-clone-group-offset.ts';
import { viewBrokerStatsData } from './requests/315-view-broker-stats-data.ts';
import { getBrokerConsumeStats } from './requests/317-get-broker-consume-stats.ts';
import { getNamesrvConfig, updateNamesrvConfig } from './requests/319-get-namesrv-config.ts';
import { sendBatchMessage } from './requests/320-send-batch-message.ts';
import { getAllProducerInfo } from './requests/328-get-all-producer-info.ts';
import { queryTopicsByConsumer } from './requests/343-query-topics-by-consumer.ts';
import { querySubscriptionByConsumer } from './requests/345-query-subscription-by-consumer.ts';
import { getTopicConfig } from './requests/351-get-topic-config.ts';
import { getSubscriptionGroupConfig } from './requests/352-get-subscriptiongroup-config.ts';
import { updateAndGetGroupForbidden } from './requests/353-update-and-get-group-forbidden.ts';
import { getBrokerMemberGroup } from './requests/901-get-broker-member-group.ts';

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
  [18, updateAndCreateTopicList],
  [21, getAllTopicConfig],
  [25, updateBrokerConfig],
  [26, getBrokerConfig],
  [28, getBrokerRuntimeInfo],
  [100, putKvConfig],
  [101, getKvConfig],
  [102, deleteKvConfig],
  [201, getAllSubscriptionGroupConfig],
  [204, getProducerConnectionList],
  [205, wipeWritePermOfBroker],
  [327, addWritePermOfBroker],
  [217, registerTopicInNamesrv],
  [219, getKvlistByNamespace],
  [222, invokeBrokerToResetOffset],
  [223, invokeBrokerToGetConsumerStatus],
  [225, updateAndCreateSubscriptionGroupList],
  [303, queryConsumeTimeSpan],
  [304, getSystemTopicListFromNs],
  [305, getSystemTopicListFromBroker],
  [307, getConsumerRunningInfo],
  [308, queryCorrectionOffset],
  [309, consumeMessageDirectly],
  [314, cloneGroupOffset],
  [315, viewBrokerStatsData],
  [317, getBrokerConsumeStats],
  [318, updateNamesrvConfig],
  [319, getNamesrvConfig],
  [328, getAllProducerInfo],
  [343, queryTopicsByConsumer],
  [345, querySubscriptionByConsumer],
  [352, getSubscriptionGroupConfig],
  [353, updateAndGetGroupForbidden],
  [901, getBrokerMemberGroup],
];

interface Entry {
  readonly handler: RequestHandler;
  readonly required: readonly FieldNumber[];
}

/** Codes below this, which all served ones are, index an array. */
const CODES_MAX = 1024;
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
