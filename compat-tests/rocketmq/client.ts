// A RocketMQ client library in a process of its own, and the verbs that drivers answer.
//
// Verbs (the Go driver answers send, subscribe, received, close, pull; `java/src` answers all):
//   send {topic, how?: sync|async|oneway|batch, messages: [{body, size?, key?, tag?, properties?, flag?, queue?, shard?, delay?}], producer?: {…}}
//        -> {results: [{status, queue, offset, id, offsetId, region, traceOn, topic} | {error}]}
//        producer: {namesrv?, tls?, vip?, accessKey?, secretKey?, group?, retries?, trace?, …}: one producer for each set of options
//   subscribe {group, topics: {topic: tags}, client?: {namesrv?, tls?, vip?, accessKey?, secretKey?}, orderly?, broadcast?, from?, timestamp?, rules?, …} -> {consumer, client}
//        rules: [{body: beginning, times?: deliveries that fail, result?: later|throw|done, sleepMs?}]
//   received {consumer, from?, count, waitMs} -> {messages}      assigned {consumer} -> {queues}
//   suspend, resume, unsubscribe, close {consumer}
//   pull {topic, queue, offset, max?, tags?, block?, group?} -> {status, next, min, max, messages, tookMs}
//   offsets {topic, queue} -> {min, max, earliest}               searchOffset, lastOffsetAt {topic, queue, timestamp} -> {offset}
//   commit {group, topic, queue, offset}                         committed {group, topic, queue} -> {offset}
//   liteOpen {group, topics | topic and queues, from?, autoCommit?} -> {consumer}; litePoll, liteSeek {to}, litePause,
//   liteResume {queues}, liteCommit, liteCommitted, liteTime {timestamp}, liteClose
//   createTopic, topicConfig, deleteTopic, createGroup, deleteGroup, topics, route, topicStats, view, byKey, resetOffset,
//   cloneOffset, progress, connections, producerConnections, whoConsumes, runningInfo, clientStatus, consumeDirectly, traces
import { ClientProcess, type Failure } from '../harness/client-process.ts';
import { commandOf } from './libraries.ts';

export type Library = 'java-4.9' | 'java-5' | 'go';

export interface Sent {
  readonly status: string;
  readonly queue: number;
  readonly offset: number;
  readonly id: string;
  readonly offsetId: string;
  readonly region: string;
  readonly traceOn: boolean;
  readonly topic: string;
  readonly error?: Failure;
}

export interface Received {
  readonly topic: string;
  readonly queue: number;
  readonly offset: number;
  readonly body: string;
  readonly bytes: number;
  readonly crc: string;
  readonly attempts: number;
  readonly key: string | null;
  readonly tag: string | null;
  readonly id: string;
  readonly flag: number;
  readonly sysFlag: number;
  /** Bytes of the stored message, as the broker keeps it. */
  readonly storeSize: number;
  readonly storedAt: number;
  readonly storeHost: string;
  readonly physicalOffset: string;
  readonly properties: Record<string, string>;
  /** When the listener was given it, by the clock of this machine. */
  readonly at: number;
}

/** What any verb may answer with; a verb fills the fields that the list above names. */
export interface Reply {
  results: Sent[];
  messages: Received[];
  consumer: string;
  client: string;
  queues: never;
  offset: number;
  status: string;
  next: number;
  min: number;
  max: number;
  earliest: number;
  tookMs: number;
  [other: string]: unknown;
}

export class Client extends ClientProcess<Reply> {
  static async start(library: Library, namesrv: string): Promise<Client> {
    const [command, args] = await commandOf(library);
    return new Client(library, 'rocketmq', command, [...args, namesrv]);
  }
}
