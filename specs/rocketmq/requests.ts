// The requests of RocketMQ remoting as rows: code, name, header fields and what this broker does with each.
//
// From these rows come the field numbering of the header decoder, the check for required fields, the dispatch table's
// completeness test and the table in MAPPING.md. Codes, names and fields are those of the protocol as rocketmq-remoting
// 5.3.3 declares them (`RequestCode` and the classes under `protocol.header`).
//
// A field is written `name:type`, with `!` behind the name when the broker of the protocol refuses a request without
// it. Types: S string, I int32, L int64, B "true"/"false".
//
// State:
//   served   a file under adapters/rocketmq/requests answers it;
//   refused  it is known and answered with the protocol's own error for a feature that is switched off;
//   client   the broker sends it, clients never do: received, it is answered like an unknown code;
//   unknown  answered with REQUEST_CODE_NOT_SUPPORTED (3), which clients probe for.

type FieldType = 'S' | 'I' | 'L' | 'B';

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly required: boolean;
}

type RequestState = 'served' | 'refused' | 'client' | 'unknown';

export interface RequestRow {
  readonly code: number;
  readonly name: string;
  readonly state: RequestState;
  readonly fields: readonly Field[];
  readonly note: string;
}

/** Fields that may stand on any request; the broker reads none of them. */
export const BASE_FIELDS = 'ns:S nsd:B bname:S oway:B lo:B';

/** Fields that sign a request (ACL). */
export const SIGNATURE_FIELDS = 'AccessKey:S SecurityToken:S Signature:S';

const SEND_FIELDS =
  'producerGroup!:S topic!:S defaultTopic!:S defaultTopicQueueNums!:I queueId!:I sysFlag!:I bornTimestamp!:L flag!:I ' +
  'properties:S reconsumeTimes:I unitMode:B batch:B maxReconsumeTimes:I';
const SEND_FIELDS_V2 = 'a!:S b!:S c!:S d!:I e!:I f!:I g!:L h!:I i:S j:I k:B l:I m:B n:S';
const PULL_FIELDS =
  'consumerGroup!:S topic!:S queueId!:I queueOffset!:L maxMsgNums!:I sysFlag!:I commitOffset!:L ' +
  'suspendTimeoutMillis!:L subscription:S subVersion!:L expressionType:S maxMsgBytes:I requestSource:I ' +
  'proxyFrowardClientId:S';

export const REQUESTS: readonly RequestRow[] = [
  // Producing
  row(10, 'SEND_MESSAGE', 'served', SEND_FIELDS, 'as 310; with the batch flag as 320'),
  row(310, 'SEND_MESSAGE_V2', 'served', SEND_FIELDS_V2, 'TRAN_MSG is refused with 16'),
  row(320, 'SEND_BATCH_MESSAGE', 'served', SEND_FIELDS_V2, 'exploded: one offset per message, one entry'),
  row(324, 'SEND_REPLY_MESSAGE', 'unknown', SEND_FIELDS, 'request-reply'),
  row(325, 'SEND_REPLY_MESSAGE_V2', 'unknown', SEND_FIELDS_V2, 'request-reply'),
  row(326, 'PUSH_REPLY_MESSAGE_TO_CLIENT', 'client', '', 'request-reply'),
  row(
    37,
    'END_TRANSACTION',
    'refused',
    'topic:S producerGroup!:S tranStateTableOffset!:L commitLogOffset!:L commitOrRollback!:I fromTransactionCheck:B msgId!:S transactionId:S',
    '16, as a broker with rejectTransactionMessage',
  ),
  row(39, 'CHECK_TRANSACTION_STATE', 'client', '', 'transactions'),
  row(370, 'RECALL_MESSAGE', 'unknown', 'producerGroup:S topic!:S recallHandle!:S', ''),
  // Clients and groups
  row(34, 'HEART_BEAT', 'served', '', 'with version 2 (fingerprints)'),
  row(35, 'UNREGISTER_CLIENT', 'served', 'clientID!:S producerGroup:S consumerGroup:S', ''),
  row(38, 'GET_CONSUMER_LIST_BY_GROUP', 'served', 'consumerGroup!:S', ''),
  row(40, 'NOTIFY_CONSUMER_IDS_CHANGED', 'client', 'consumerGroup!:S', 'sent on every change of membership'),
  row(41, 'LOCK_BATCH_MQ', 'served', '', ''),
  row(42, 'UNLOCK_BATCH_MQ', 'served', '', ''),
  row(46, 'CHECK_CLIENT_CONFIG', 'served', '', 'TAG passes; SQL92 gets 1, as with enablePropertyFilter=false'),
  row(47, 'GET_CLIENT_CONFIG', 'unknown', '', 'declared by the protocol, used by nobody'),
  // Consuming
  row(11, 'PULL_MESSAGE', 'served', PULL_FIELDS, ''),
  row(361, 'LITE_PULL_MESSAGE', 'served', PULL_FIELDS, 'as 11'),
  row(
    12,
    'QUERY_MESSAGE',
    'served',
    'topic!:S key!:S maxNum!:I beginTimestamp!:L endTimestamp!:L _UNIQUE_KEY_QUERY:B',
    '',
  ),
  row(13, 'QUERY_BROKER_OFFSET', 'unknown', '', 'declared by the protocol, used by nobody'),
  row(14, 'QUERY_CONSUMER_OFFSET', 'served', 'consumerGroup!:S topic!:S queueId!:I setZeroIfNotFound:B', ''),
  row(15, 'UPDATE_CONSUMER_OFFSET', 'served', 'consumerGroup!:S topic!:S queueId!:I commitOffset!:L', ''),
  row(29, 'SEARCH_OFFSET_BY_TIMESTAMP', 'served', 'topic!:S queueId!:I timestamp!:L boundaryType:S', ''),
  row(30, 'GET_MAX_OFFSET', 'served', 'topic!:S queueId!:I committed:B', ''),
  row(31, 'GET_MIN_OFFSET', 'served', 'topic!:S queueId!:I', ''),
  row(32, 'GET_EARLIEST_MSG_STORETIME', 'served', 'topic!:S queueId!:I', ''),
  row(33, 'VIEW_MESSAGE_BY_ID', 'served', 'topic:S offset!:L', ''),
  row(
    36,
    'CONSUMER_SEND_MSG_BACK',
    'served',
    'offset!:L group!:S delayLevel!:I originMsgId:S originTopic:S unitMode:B maxReconsumeTimes:I',
    '',
  ),
  row(220, 'RESET_CONSUMER_CLIENT_OFFSET', 'client', '', 'sent to members when useServerSideResetOffset is off'),
  row(221, 'GET_CONSUMER_STATUS_FROM_CLIENT', 'client', '', 'sent for 223'),
  row(
    307,
    'GET_CONSUMER_RUNNING_INFO',
    'served',
    'consumerGroup!:S clientId!:S jstackEnable:B',
    'relayed to the client',
  ),
  row(
    309,
    'CONSUME_MESSAGE_DIRECTLY',
    'served',
    'consumerGroup!:S clientId:S msgId:S brokerName:S topic:S',
    'relayed to the client, message by offsetMsgId',
  ),
  row(400, 'QUERY_ASSIGNMENT', 'unknown', '', 'asked only by clients with clientRebalance=false'),
  row(401, 'SET_MESSAGE_REQUEST_MODE', 'unknown', '', 'POP'),
  row(402, 'GET_ALL_MESSAGE_REQUEST_MODE', 'unknown', '', 'POP'),
  // POP
  row(200050, 'POP_MESSAGE', 'unknown', '', 'POP; the 16-bit alias 3442 of binary headers is understood'),
  row(200051, 'ACK_MESSAGE', 'unknown', '', 'POP; alias 3443'),
  row(200052, 'PEEK_MESSAGE', 'unknown', '', 'POP; alias 3444'),
  row(200053, 'CHANGE_MESSAGE_INVISIBLETIME', 'unknown', '', 'POP; alias 3445'),
  row(200054, 'NOTIFICATION', 'unknown', '', 'POP; alias 3446'),
  row(200055, 'POLLING_INFO', 'unknown', '', 'POP; alias 3447'),
  row(200056, 'POP_ROLLBACK', 'unknown', '', 'POP; alias 3448'),
  row(200151, 'BATCH_ACK_MESSAGE', 'unknown', '', 'POP; alias 3543'),
  // Name server
  row(105, 'GET_ROUTEINFO_BY_TOPIC', 'served', 'topic!:S acceptStandardJsonOnly:B', ''),
  row(106, 'GET_BROKER_CLUSTER_INFO', 'served', '', ''),
  row(206, 'GET_ALL_TOPIC_LIST_FROM_NAMESERVER', 'served', '', ''),
  row(216, 'DELETE_TOPIC_IN_NAMESRV', 'served', 'topic!:S clusterName:S', 'nothing to do: the route follows the topic'),
  row(217, 'REGISTER_TOPIC_IN_NAMESRV', 'served', 'topic!:S', 'makes the topic as the route describes it'),
  row(224, 'GET_TOPICS_BY_CLUSTER', 'served', 'cluster!:S', ''),
  row(304, 'GET_SYSTEM_TOPIC_LIST_FROM_NS', 'served', '', ''),
  row(305, 'GET_SYSTEM_TOPIC_LIST_FROM_BROKER', 'served', '', ''),
  row(100, 'PUT_KV_CONFIG', 'served', 'namespace!:S key!:S value!:S', ''),
  row(101, 'GET_KV_CONFIG', 'served', 'namespace!:S key!:S', ''),
  row(102, 'DELETE_KV_CONFIG', 'served', 'namespace!:S key!:S', ''),
  row(219, 'GET_KVLIST_BY_NAMESPACE', 'served', 'namespace!:S', ''),
  row(103, 'REGISTER_BROKER', 'unknown', '', 'no Apache broker may register here'),
  row(104, 'UNREGISTER_BROKER', 'unknown', '', ''),
  row(205, 'WIPE_WRITE_PERM_OF_BROKER', 'served', 'brokerName!:S', 'routes lose the write bit; kept over restarts'),
  row(327, 'ADD_WRITE_PERM_OF_BROKER', 'served', 'brokerName!:S', ''),
  row(311, 'GET_UNIT_TOPIC_LIST', 'unknown', '', 'unit mode'),
  row(312, 'GET_HAS_UNIT_SUB_TOPIC_LIST', 'unknown', '', 'unit mode'),
  row(313, 'GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST', 'unknown', '', 'unit mode'),
  row(318, 'UPDATE_NAMESRV_CONFIG', 'refused', '', '16: nothing to change'),
  row(319, 'GET_NAMESRV_CONFIG', 'served', '', ''),
  row(322, 'QUERY_DATA_VERSION', 'unknown', '', ''),
  row(901, 'GET_BROKER_MEMBER_GROUP', 'served', 'clusterName!:S brokerName!:S', ''),
  // Administration
  row(
    17,
    'UPDATE_AND_CREATE_TOPIC',
    'served',
    'topic!:S defaultTopic!:S readQueueNums!:I writeQueueNums!:I perm!:I topicFilterType!:S topicSysFlag:I order!:B attributes:S force:B',
    'read and write numbers, permission, order flag; attributes but batch queues and compaction',
  ),
  row(18, 'UPDATE_AND_CREATE_TOPIC_LIST', 'served', '', ''),
  row(215, 'DELETE_TOPIC_IN_BROKER', 'served', 'topic!:S', ''),
  row(21, 'GET_ALL_TOPIC_CONFIG', 'served', 'topicSeq:I maxTopicNum:I dataVersion:S', ''),
  row(22, 'GET_TOPIC_CONFIG_LIST', 'unknown', '', 'declared by the protocol, used by nobody'),
  row(23, 'GET_TOPIC_NAME_LIST', 'unknown', '', 'declared by the protocol, used by nobody'),
  row(351, 'GET_TOPIC_CONFIG', 'served', 'topic!:S', ''),
  row(513, 'UPDATE_AND_CREATE_STATIC_TOPIC', 'unknown', '', 'static topics'),
  row(200, 'UPDATE_AND_CREATE_SUBSCRIPTIONGROUP', 'served', '', ''),
  row(225, 'UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST', 'served', '', ''),
  row(201, 'GET_ALL_SUBSCRIPTIONGROUP_CONFIG', 'served', '', ''),
  row(352, 'GET_SUBSCRIPTIONGROUP_CONFIG', 'served', 'group!:S', ''),
  row(207, 'DELETE_SUBSCRIPTIONGROUP', 'served', 'groupName!:S cleanOffset:B', ''),
  row(353, 'UPDATE_AND_GET_GROUP_FORBIDDEN', 'served', 'group!:S topic!:S readable:B', ''),
  row(202, 'GET_TOPIC_STATS_INFO', 'served', 'topic!:S', ''),
  row(203, 'GET_CONSUMER_CONNECTION_LIST', 'served', 'consumerGroup!:S', ''),
  row(204, 'GET_PRODUCER_CONNECTION_LIST', 'served', 'producerGroup!:S', ''),
  row(328, 'GET_ALL_PRODUCER_INFO', 'served', '', ''),
  row(208, 'GET_CONSUME_STATS', 'served', 'consumerGroup!:S topic:S topicList:S', ''),
  row(317, 'GET_BROKER_CONSUME_STATS', 'served', 'isOrder!:B', ''),
  row(300, 'QUERY_TOPIC_CONSUME_BY_WHO', 'served', 'topic!:S', ''),
  row(343, 'QUERY_TOPICS_BY_CONSUMER', 'served', 'group!:S', ''),
  row(345, 'QUERY_SUBSCRIPTION_BY_CONSUMER', 'served', 'group!:S topic:S', ''),
  row(303, 'QUERY_CONSUME_TIME_SPAN', 'served', 'topic!:S group!:S', ''),
  row(308, 'QUERY_CORRECTION_OFFSET', 'served', 'filterGroups:S compareGroup!:S topic!:S', ''),
  row(
    222,
    'INVOKE_BROKER_TO_RESET_OFFSET',
    'served',
    'group!:S topic!:S queueId:I offset:L timestamp!:L isForce!:B',
    'on the server (pulls answer 21), or by 220 with useServerSideResetOffset off',
  ),
  row(223, 'INVOKE_BROKER_TO_GET_CONSUMER_STATUS', 'served', 'topic!:S group!:S clientAddr:S', ''),
  row(314, 'CLONE_GROUP_OFFSET', 'served', 'srcGroup!:S destGroup!:S topic:S offline:B', ''),
  row(
    315,
    'VIEW_BROKER_STATS_DATA',
    'served',
    'statsName!:S statsKey!:S',
    'from totals, zeros when asked for the first time',
  ),
  row(25, 'UPDATE_BROKER_CONFIG', 'served', '', 'the settings in broker-settings.ts, kept over restarts; others 16'),
  row(26, 'GET_BROKER_CONFIG', 'served', '', ''),
  row(27, 'TRIGGER_DELETE_FILES', 'unknown', '', 'declared by the protocol, used by nobody'),
  row(28, 'GET_BROKER_RUNTIME_INFO', 'served', '', ''),
  row(306, 'CLEAN_EXPIRED_CONSUMEQUEUE', 'unknown', '', ''),
  row(316, 'CLEAN_UNUSED_TOPIC', 'unknown', '', ''),
  row(329, 'DELETE_EXPIRED_COMMITLOG', 'unknown', '', ''),
  row(321, 'QUERY_CONSUME_QUEUE', 'unknown', 'topic:S queueId:I index:L count:I consumerGroup:S', ''),
  row(323, 'RESUME_CHECK_HALF_MESSAGE', 'unknown', 'topic:S msgId:S', 'transactions'),
  row(43, 'GET_ALL_CONSUMER_OFFSET', 'unknown', '', 'replication between Apache brokers'),
  row(45, 'GET_ALL_DELAY_OFFSET', 'unknown', '', 'replication between Apache brokers'),
  row(60, 'GET_TIMER_CHECK_POINT', 'unknown', '', 'replication between Apache brokers'),
  row(61, 'GET_TIMER_METRICS', 'unknown', '', ''),
  row(354, 'CHECK_ROCKSDB_CQ_WRITE_PROGRESS', 'unknown', '', ''),
  row(355, 'EXPORT_ROCKSDB_CONFIG_TO_JSON', 'unknown', '', ''),
  row(902, 'ADD_BROKER', 'unknown', '', 'broker container'),
  row(903, 'REMOVE_BROKER', 'unknown', '', 'broker container'),
  row(904, 'BROKER_HEARTBEAT', 'unknown', '', 'between Apache servers'),
  row(905, 'NOTIFY_MIN_BROKER_ID_CHANGE', 'unknown', '', 'between Apache servers'),
  row(906, 'EXCHANGE_BROKER_HA_INFO', 'unknown', '', 'between Apache servers'),
  row(907, 'GET_BROKER_HA_STATUS', 'unknown', '', ''),
  row(908, 'RESET_MASTER_FLUSH_OFFSET', 'unknown', '', 'between Apache servers'),
  row(2001, 'UPDATE_COLD_DATA_FLOW_CTR_CONFIG', 'unknown', '', 'cold data control'),
  row(2002, 'REMOVE_COLD_DATA_FLOW_CTR_CONFIG', 'unknown', '', 'cold data control'),
  row(2003, 'GET_COLD_DATA_FLOW_CTR_INFO', 'unknown', '', 'cold data control'),
  row(2004, 'SET_COMMITLOG_READ_MODE', 'unknown', '', 'cold data control'),
  row(3001, 'AUTH_CREATE_USER', 'unknown', 'username:S', ''),
  row(3002, 'AUTH_UPDATE_USER', 'unknown', 'username:S', ''),
  row(3003, 'AUTH_DELETE_USER', 'unknown', 'username:S', ''),
  row(3004, 'AUTH_GET_USER', 'unknown', 'username:S', ''),
  row(3005, 'AUTH_LIST_USER', 'unknown', 'filter:S', ''),
  row(3006, 'AUTH_CREATE_ACL', 'unknown', 'subject:S', ''),
  row(3007, 'AUTH_UPDATE_ACL', 'unknown', 'subject:S', ''),
  row(3008, 'AUTH_DELETE_ACL', 'unknown', 'subject:S policyType:S resource:S', ''),
  row(3009, 'AUTH_GET_ACL', 'unknown', 'subject:S', ''),
  row(3010, 'AUTH_LIST_ACL', 'unknown', 'subjectFilter:S resourceFilter:S', ''),
];

/**
 * With binary headers the code is an int16, so the POP codes arrive cut to 16 bits (apache/rocketmq #5684, #6953,
 * #8868). The alias is read as the code it was cut from; no request of the protocol uses these numbers itself.
 */
export const CODE_ALIASES_INT16: ReadonlyMap<number, number> = new Map(
  REQUESTS.filter((request) => request.code > 0x7fff).map((request) => [(request.code << 16) >> 16, request.code]),
);

export function parseFields(text: string): readonly Field[] {
  if (text === '') return [];
  return text.split(' ').map((part) => {
    const match = /^(\w+)(!?):([SILB])$/.exec(part);
    if (match === null) throw new Error(`not a field: ${part}`);
    return { name: match[1]!, type: match[3] as FieldType, required: match[2] === '!' };
  });
}

function row(code: number, name: string, state: RequestState, fields: string, note: string): RequestRow {
  return { code, name, state, fields: parseFields(fields), note };
}
