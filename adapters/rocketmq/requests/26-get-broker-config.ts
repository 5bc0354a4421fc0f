// 26 GET_BROKER_CONFIG: the broker's settings as lines, those of the protocol's broker that mean something here.

import { BODY_BYTES_MAX } from '../../../specs/rocketmq/constants.ts';
import { RESPONSE } from '../../../specs/rocketmq/response-codes.ts';
import { printLines } from '../broker-settings.ts';
import type { RequestHandler } from '../dispatch.ts';
import { rawJson } from '../json-body.ts';
import { ReplyField } from '../reply.ts';

const VERSION = new ReplyField('version');

export const getBrokerConfig: RequestHandler = (connection, header) => {
  const { broker, node, info, principal } = connection;
  broker.authorise(principal, 'describe', 'cluster', '', '');
  const { host, port } = node.brokerAddress(info);
  const name = info.advertised('rocketmq-nameserver');
  const reply = connection.begin(header, RESPONSE.SUCCESS);
  reply.text(VERSION, rawJson(node.dataVersion()).toString());
  reply.endHeader();
  reply.writer.bytes(
    printLines({
      ...node.settings.values(),
      brokerClusterName: node.clusterName,
      brokerId: 0,
      brokerIP1: host,
      brokerName: node.brokerName,
      brokerRole: 'ASYNC_MASTER',
      enablePropertyFilter: false,
      fileReservedTime: 72,
      flushDiskType: 'SYNC_FLUSH',
      listenPort: port,
      litePullMessageEnable: true,
      longPollingEnable: true,
      maxMessageSize: BODY_BYTES_MAX,
      messageIndexEnable: true,
      namesrvAddr: name === null ? '' : `${name.host}:${name.port}`,
      notifyConsumerIdsChangedEnable: true,
      rejectTransactionMessage: true,
      traceTopicEnable: true,
    }),
  );
  connection.finish(header);
};
