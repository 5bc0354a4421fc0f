// 28 GET_BROKER_RUNTIME_INFO: counters and rates under the names that the protocol's tools print. Tools split the triples
// at spaces and parse the numbers, so every key is there; what has no counterpart here is 0.

import type { RequestHandler } from '../dispatch.ts';
import { rawJson } from '../json-body.ts';

export const getBrokerRuntimeInfo: RequestHandler = (connection, header) => {
  const { broker, node, principal } = connection;
  broker.authorise(principal, 'describe', 'cluster', '', '');
  const { counts, rates } = node;
  const nowMs = node.context.clock.nowMs();
  const version = `V5_3_0 (${String(node.context.settings['productName'] ?? '')} ${String(node.context.settings['productVersion'] ?? '')})`;
  rates.seen(nowMs);
  const { today, yesterday } = rates.mornings;
  const stored = broker.storage();
  const table: Record<string, string> = {
    bootTimestamp: String(node.bootMs),
    brokerActive: 'true',
    brokerVersion: '473',
    brokerVersionDesc: version.replace(' ( )', ''),
    commitLogDirCapacity: `Total : ${size(stored.keptBytes + stored.freeBytes)}, Free : ${size(stored.freeBytes)}.`,
    commitLogDiskRatio: String(stored.keptBytes / Math.max(1, stored.keptBytes + stored.freeBytes)),
    commitLogMaxOffset: String(stored.endPosition),
    commitLogMinOffset: String(stored.startPosition),
    consumeQueueDiskRatio: '0',
    dispatchBehindBytes: '0',
    dispatchMaxBuffer: '0',
    earliestMessageTimeStamp: String(stored.oldestMs ?? -1),
    endTransactionThreadPoolQueueCapacity: '100000',
    endTransactionThreadPoolQueueSize: '0',
    getFoundTps: rates.triple('messagesOut', nowMs),
    getMessageEntireTimeMax: '0',
    getMissTps: rates.triple('pullsEmpty', nowMs),
    getTotalTps: rates.triple('pulls', nowMs),
    getTransferredTps: rates.triple('messagesOut', nowMs),
    msgGetTotalTodayMorning: String(today.messagesOut),
    msgGetTotalTodayNow: String(counts.messagesOut),
    msgGetTotalYesterdayMorning: String(yesterday.messagesOut),
    msgPutTotalTodayMorning: String(today.messagesIn),
    msgPutTotalTodayNow: String(counts.messagesIn),
    msgPutTotalYesterdayMorning: String(yesterday.messagesIn),
    pageCacheLockTimeMills: '0',
    pullThreadPoolQueueCapacity: '100000',
    pullThreadPoolQueueHeadWaitTimeMills: '0',
    pullThreadPoolQueueSize: '0',
    putMessageAverageSize: counts.messagesIn === 0 ? '0' : String(counts.bytesIn / counts.messagesIn),
    putMessageDistributeTime: '',
    putMessageEntireTimeMax: '0',
    putMessageSizeTotal: String(counts.bytesIn),
    putMessageTimesTotal: String(counts.messagesIn),
    putTps: rates.triple('messagesIn', nowMs),
    queryThreadPoolQueueCapacity: '20000',
    queryThreadPoolQueueHeadWaitTimeMills: '0',
    queryThreadPoolQueueSize: '0',
    remainHowManyDataToFlush: '0 B',
    remainTransientStoreBufferNumbs: '2147483647',
    runtime: runtimeText(nowMs - node.bootMs),
    sendThreadPoolQueueCapacity: '10000',
    sendThreadPoolQueueHeadWaitTimeMills: '0',
    sendThreadPoolQueueSize: '0',
    startAcceptSendRequestTimeStamp: '0',
    timerCongestNum: '0',
    timerDequeueTps: '0',
    timerEnqueueTps: '0',
    timerOffsetBehind: '0',
    timerReadBehind: '0',
  };
  connection.answerBody(header, rawJson({ table }));
};

/** As the protocol's brokers print sizes. */
const size = (bytes: number): string => `${(bytes / 1024 ** 3).toFixed(2)} GiB`;

function runtimeText(spentMs: number): string {
  const seconds = Math.floor(spentMs / 1000);
  const parts = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  return `[ ${parts[0]} days, ${parts[1]} hours, ${parts[2]} minutes, ${seconds % 60} seconds ]`;
}
