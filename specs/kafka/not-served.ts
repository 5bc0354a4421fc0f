// The APIs that Kafka knows and this broker does not serve: those of features that come later, and those that brokers
// and controllers speak among themselves. None of them is in ApiVersions; a client that sends one is disconnected.

export interface NotServed {
  readonly key: number;
  readonly name: string;
  readonly state: 'later' | 'between brokers';
  readonly note: string;
}

const later = (key: number, name: string, note: string): NotServed => ({ key, name, state: 'later', note });
const brokers = (key: number, name: string): NotServed => ({ key, name, state: 'between brokers', note: '' });

export const NOT_SERVED: readonly NotServed[] = [
  brokers(4, 'LeaderAndIsr'),
  brokers(5, 'StopReplica'),
  brokers(6, 'UpdateMetadata'),
  brokers(7, 'ControlledShutdown'),
  later(24, 'AddPartitionsToTxn', 'transactions'),
  later(25, 'AddOffsetsToTxn', 'transactions'),
  later(26, 'EndTxn', 'transactions'),
  later(27, 'WriteTxnMarkers', 'transactions'),
  later(28, 'TxnOffsetCommit', 'transactions'),
  later(29, 'DescribeAcls', 'access rules'),
  later(30, 'CreateAcls', 'access rules'),
  later(31, 'DeleteAcls', 'access rules'),
  later(34, 'AlterReplicaLogDirs', 'there is one directory'),
  later(38, 'CreateDelegationToken', 'delegation tokens'),
  later(39, 'RenewDelegationToken', 'delegation tokens'),
  later(40, 'ExpireDelegationToken', 'delegation tokens'),
  later(41, 'DescribeDelegationToken', 'delegation tokens'),
  later(45, 'AlterPartitionReassignments', 'there is one node'),
  brokers(52, 'Vote'),
  brokers(53, 'BeginQuorumEpoch'),
  brokers(54, 'EndQuorumEpoch'),
  later(55, 'DescribeQuorum', 'there is one node'),
  brokers(56, 'AlterPartition'),
  later(57, 'UpdateFeatures', 'features'),
  brokers(58, 'Envelope'),
  brokers(59, 'FetchSnapshot'),
  brokers(62, 'BrokerRegistration'),
  brokers(63, 'BrokerHeartbeat'),
  later(64, 'UnregisterBroker', 'there is one node'),
  later(65, 'DescribeTransactions', 'transactions'),
  later(66, 'ListTransactions', 'transactions'),
  brokers(67, 'AllocateProducerIds'),
  later(68, 'ConsumerGroupHeartbeat', 'the consumer protocol of KIP-848'),
  later(69, 'ConsumerGroupDescribe', 'the consumer protocol of KIP-848'),
  brokers(70, 'ControllerRegistration'),
  brokers(73, 'AssignReplicasToDirs'),
  later(74, 'ListConfigResources', 'configuration of clients and groups'),
  later(76, 'ShareGroupHeartbeat', 'share groups'),
  later(77, 'ShareGroupDescribe', 'share groups'),
  later(78, 'ShareFetch', 'share groups'),
  later(79, 'ShareAcknowledge', 'share groups'),
  brokers(80, 'AddRaftVoter'),
  brokers(81, 'RemoveRaftVoter'),
  brokers(82, 'UpdateRaftVoter'),
  brokers(83, 'InitializeShareGroupState'),
  brokers(84, 'ReadShareGroupState'),
  brokers(85, 'WriteShareGroupState'),
  brokers(86, 'DeleteShareGroupState'),
  brokers(87, 'ReadShareGroupStateSummary'),
  later(88, 'StreamsGroupHeartbeat', 'streams groups'),
  later(89, 'StreamsGroupDescribe', 'streams groups'),
  later(90, 'DescribeShareGroupOffsets', 'share groups'),
  later(91, 'AlterShareGroupOffsets', 'share groups'),
  later(92, 'DeleteShareGroupOffsets', 'share groups'),
];
