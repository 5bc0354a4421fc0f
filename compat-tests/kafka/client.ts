// A Kafka client library in a process of its own, and the verbs that drivers answer. Keys, values and headers travel as
// base64; here they are text (`read`, `take` and `produce` of the Actor in stage.ts convert).
//
// Every library:
//   produce {topic, messages: [{key?, value, partition?, headers?: [[name, value]], timestamp?}], oneByOne?,
//            producer?: {acks?: '0'|'1'|'all', idempotent?, compression?, lingerMs?, batchBytes?, requestBytesMax?}}
//        -> {results: [{partition, offset} | {error}]}          an acknowledgement without offset has offset -1
//   read {topic, partition?, from?: offset|'begin'|'end', count, waitMs?} -> {records}
//   subscribe {group, topics, from?, autoCommit?, instance?, assignor?, sessionMs?, …} -> {consumer}
//   take {consumer, count, waitMs?} -> {records}                 waits until count are there or time is over
//   assigned {consumer} -> {partitions: ['topic/0' …]}
//   commit {consumer, offsets: [{topic, partition, offset, metadata?}]}       close {consumer}
//   createTopic {topic, partitions?, replicas?, configs?}        deleteTopic {topic}        topics -> {topics}
//   offsets {topic, partition?} -> {begin, end}
// Administration, those whose library can:
//   createPartitions {topic, count}                              configs {type?, name} -> {configs: {name: {value, …}}}
//   setConfigs {type?, name, ops: [{op?, name, value}]}          deleteRecords {topic, partition?, before} -> {low}
//   groups {states?} -> {groups: [{group, state, …}]}            describeGroup {group} -> {state, members, …}
//   deleteGroup {group}                                          committed {group, partitions?} -> {offsets: {'topic/0': {offset, metadata}}}
//   cluster -> {clusterId, controller, nodes}
// Java alone: read with reset and position, timeOffset, listOffset {at}, rebalances, positions, committedBy, seek, pause, stall,
//   enforceRebalance, describeTopic, setOffsets, deleteOffsets, removeMembers, logDirs, setScram, scramUsers, setQuota,
//   quotas, features, electLeaders, reassignments, producers, transactions, closeProducers, partitionsFor, and
//   `config: {…}` in any verb for settings of the client itself.
import { ClientProcess, type Failure } from '../harness/client-process.ts';
import { commandOf } from './libraries.ts';

export const LIBRARIES = [
  'java-3',
  'java-4',
  'kafkajs',
  'platformatic',
  'librdkafka',
  'kafka-python',
  'franz',
  'sarama',
] as const;
export type Library = (typeof LIBRARIES)[number];

export interface Produced {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp?: number;
  readonly error?: Failure;
}

/** A record as drivers tell it. */
export interface WireRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [string, string | null])[];
  readonly timestamp: number;
  readonly timestampType?: string;
  readonly epoch?: number | null;
}

export interface Committed {
  readonly offset: number;
  readonly metadata: string;
}

export interface ConfigEntry {
  readonly value: string | null;
  readonly source: string;
  readonly isReadOnly: boolean;
  readonly isSensitive: boolean;
  readonly type: string;
  readonly synonyms: readonly string[];
}

/** What any verb may answer with; a verb fills the fields that the list above names. */
export interface Reply {
  results: Produced[];
  records: WireRecord[];
  consumer: string;
  partitions: string[];
  topics: string[];
  begin: number;
  end: number;
  low: number;
  offset: number | null;
  timestamp: number | null;
  configs: Record<string, ConfigEntry>;
  groups: { group: string; state: string }[];
  state: string;
  members: { id: string; instance: string | null; client: string; host: string; partitions: string[] }[];
  offsets: Record<string, Committed | null>;
  [other: string]: unknown;
}

export class Client extends ClientProcess<Reply> {
  static async start(library: Library, bootstrap: string): Promise<Client> {
    const [command, args] = await commandOf(library);
    return new Client(library, 'kafka', command, [...args, bootstrap]);
  }
}
