// 106 GET_BROKER_CLUSTER_INFO: the cluster of one broker, always in the dialect with bare integer keys.

import type { RequestHandler } from '../dispatch.ts';
import { rawJson } from '../json-body.ts';

export const getBrokerClusterInfo: RequestHandler = (connection, header) => {
  const { brokerName, clusterName } = connection.node;
  const address = connection.node.brokerAddress(connection.info);
  const broker = {
    brokerAddrs: new Map([[0, `${address.host}:${address.port}`]]),
    brokerName,
    cluster: clusterName,
    enableActingMaster: false,
  };
  connection.answerBody(
    header,
    rawJson({ brokerAddrTable: { [brokerName]: broker }, clusterAddrTable: { [clusterName]: [brokerName] } }),
  );
};
