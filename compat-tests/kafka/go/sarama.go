package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

func codeOfSarama(err error) (int16, bool) {
	var known sarama.KError
	if errors.As(err, &known) {
		return int16(known), true
	}
	var topic *sarama.TopicError
	if errors.As(err, &topic) {
		return int16(topic.Err), true
	}
	var partition *sarama.TopicPartitionError
	if errors.As(err, &partition) {
		return int16(partition.Err), true
	}
	return 0, false
}

type saramaDriver struct {
	bootstrap []string
	lock      sync.Mutex
	producers map[string]sarama.SyncProducer
	members   named[*saramaMember]
}

func saramaConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.ClientID = "compat-sarama"
	config.Version = sarama.V3_6_0_0
	config.Metadata.RefreshFrequency = time.Second
	config.Metadata.Retry.Backoff = 100 * time.Millisecond
	config.Metadata.Retry.Max = 20
	config.Consumer.MaxWaitTime = 200 * time.Millisecond
	config.Producer.Return.Successes = true
	config.ChannelBufferSize = 1_024
	return config
}

func saramaVerbs(bootstrap string) map[string]verb {
	s := &saramaDriver{bootstrap: []string{bootstrap}, producers: map[string]sarama.SyncProducer{}}
	administer := func(run func(sarama.ClusterAdmin, command) (object, error)) verb {
		return func(c command) (object, error) {
			admin, err := sarama.NewClusterAdmin(s.bootstrap, saramaConfig())
			if err != nil {
				return nil, err
			}
			defer admin.Close()
			return run(admin, c)
		}
	}
	return map[string]verb{
		"produce": s.produce, "read": s.read, "subscribe": s.subscribe, "commit": s.commit, "close": s.close, "offsets": s.offsets,
		"take": func(c command) (object, error) {
			return object{"records": s.members.get(c.Consumer).inbox.take(c.count(), c.timeout())}, nil
		},
		"assigned": func(c command) (object, error) {
			member := s.members.get(c.Consumer)
			member.lock.Lock()
			defer member.lock.Unlock()
			return object{"partitions": namesOf(member.claims)}, nil
		},
		"createTopic": administer(func(admin sarama.ClusterAdmin, c command) (object, error) {
			configs := map[string]*string{}
			for name, value := range c.Configs {
				configs[name] = &value
			}
			return object{}, admin.CreateTopic(c.Topic, &sarama.TopicDetail{NumPartitions: c.partitions(), ReplicationFactor: max(c.Replicas, 1), ConfigEntries: configs}, false)
		}),
		"deleteTopic": administer(func(admin sarama.ClusterAdmin, c command) (object, error) {
			return object{}, admin.DeleteTopic(c.Topic)
		}),
		"topics": administer(func(admin sarama.ClusterAdmin, c command) (object, error) {
			topics, err := admin.ListTopics()
			names := []string{}
			for name := range topics {
				names = append(names, name)
			}
			return object{"topics": names}, err
		}),
		"createPartitions": administer(func(admin sarama.ClusterAdmin, c command) (object, error) {
			return object{}, admin.CreatePartitions(c.Topic, int32(c.Count), nil, false)
		}),
		"configs":    administer(saramaConfigs),
		"setConfigs": administer(saramaSetConfigs),
		"deleteRecords": administer(func(admin sarama.ClusterAdmin, c command) (object, error) {
			return object{}, admin.DeleteRecords(c.Topic, map[int32]int64{c.Partition: c.Before})
		}),
		"groups": administer(func(admin sarama.ClusterAdmin, c command) (object, error) {
			listed, err := admin.ListConsumerGroups()
			groups := []object{}
			for name := range listed {
				groups = append(groups, object{"group": name, "state": ""})
			}
			return object{"groups": groups}, err
		}),
		"describeGroup": administer(saramaDescribeGroup),
		"deleteGroup": administer(func(admin sarama.ClusterAdmin, c command) (object, error) {
			return object{}, admin.DeleteConsumerGroup(c.Group)
		}),
		"committed": administer(func(admin sarama.ClusterAdmin, c command) (object, error) {
			found, err := admin.ListConsumerGroupOffsets(c.Group, nil)
			if err != nil {
				return nil, err
			}
			offsets := object{}
			for topic, partitions := range found.Blocks {
				for partition, one := range partitions {
					if one.Offset >= 0 {
						offsets[fmt.Sprintf("%s/%d", topic, partition)] = object{"offset": one.Offset, "metadata": one.Metadata}
					}
				}
			}
			return object{"offsets": offsets}, nil
		}),
		"cluster": administer(func(admin sarama.ClusterAdmin, c command) (object, error) {
			brokers, controller, err := admin.DescribeCluster()
			nodes := []string{}
			for _, one := range brokers {
				nodes = append(nodes, fmt.Sprintf("%d %s", one.ID(), one.Addr()))
			}
			return object{"clusterId": "", "controller": controller, "nodes": nodes}, err
		}),
	}
}

func (s *saramaDriver) producer(c command) (sarama.SyncProducer, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	name := fmt.Sprint(c.Producer)
	if opened, known := s.producers[name]; known {
		return opened, nil
	}
	config := saramaConfig()
	config.Producer.Partitioner = func(topic string) sarama.Partitioner { return &saramaChosen{sarama.NewHashPartitioner(topic)} }
	config.Producer.RequiredAcks = map[string]sarama.RequiredAcks{"": sarama.WaitForAll, "all": sarama.WaitForAll, "1": sarama.WaitForLocal, "0": sarama.NoResponse}[c.Producer.Acks]
	codec := c.Producer.Compression
	if codec == "" {
		codec = "none"
	}
	if err := config.Producer.Compression.UnmarshalText([]byte(codec)); err != nil {
		return nil, err
	}
	config.Producer.Flush.Frequency = time.Duration(c.Producer.LingerMs) * time.Millisecond
	if c.Producer.RequestBytesMax > 0 {
		config.Producer.MaxMessageBytes = int(c.Producer.RequestBytesMax)
	}
	if c.Producer.Idempotent {
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1
	}
	opened, err := sarama.NewSyncProducer(s.bootstrap, config)
	if err == nil {
		s.producers[name] = opened
	}
	return opened, err
}

// saramaChosen keeps a partition that the message names, and hashes the key of the others.
type saramaChosen struct{ sarama.Partitioner }

func (p *saramaChosen) Partition(message *sarama.ProducerMessage, count int32) (int32, error) {
	if partition, named := message.Metadata.(int32); named {
		return partition, nil
	}
	return p.Partitioner.Partition(message, count)
}

func (s *saramaDriver) produce(c command) (object, error) {
	producer, err := s.producer(c)
	if err != nil {
		return nil, err
	}
	messages := []*sarama.ProducerMessage{}
	for _, one := range c.Messages {
		message := &sarama.ProducerMessage{Topic: c.Topic}
		if one.Key != nil {
			message.Key = sarama.ByteEncoder(bytesOf(one.Key))
		}
		if one.Value != nil {
			message.Value = sarama.ByteEncoder(bytesOf(one.Value))
		}
		if one.Partition != nil {
			message.Metadata = *one.Partition
		}
		if one.Timestamp != nil {
			message.Timestamp = time.UnixMilli(*one.Timestamp)
		}
		for _, header := range headersOf(one) {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header.name), Value: header.value})
		}
		messages = append(messages, message)
	}
	failed := map[*sarama.ProducerMessage]error{}
	if err := producer.SendMessages(messages); err != nil {
		var all sarama.ProducerErrors
		if !errors.As(err, &all) {
			return nil, err
		}
		for _, one := range all {
			failed[one.Msg] = one.Err
		}
	}
	results := []object{}
	for _, one := range messages {
		switch err, isFailed := failed[one]; {
		case isFailed:
			results = append(results, object{"error": failure(err)})
		case c.Producer.Acks == "0":
			results = append(results, object{"partition": one.Partition, "offset": -1})
		default:
			results = append(results, object{"partition": one.Partition, "offset": one.Offset})
		}
	}
	return object{"results": results}, nil
}

func saramaShown(record *sarama.ConsumerMessage) object {
	headers := [][2]any{}
	for _, one := range record.Headers {
		headers = append(headers, [2]any{string(one.Key), orNull(one.Value)})
	}
	return object{
		"topic": record.Topic, "partition": record.Partition, "offset": record.Offset, "timestamp": record.Timestamp.UnixMilli(),
		"key": orNull(record.Key), "value": orNull(record.Value), "headers": headers,
	}
}

func (s *saramaDriver) read(c command) (object, error) {
	consumer, err := sarama.NewConsumer(s.bootstrap, saramaConfig())
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	offset := sarama.OffsetOldest
	if first, isNumber := c.From.(float64); isNumber {
		offset = int64(first)
	} else if c.From == "end" {
		offset = sarama.OffsetNewest
	}
	partition, err := consumer.ConsumePartition(c.Topic, c.Partition, offset)
	if err != nil {
		return nil, err
	}
	defer partition.AsyncClose()
	records := []object{}
	over := time.After(c.timeout())
	for len(records) < c.count() {
		select {
		case one := <-partition.Messages():
			records = append(records, saramaShown(one))
		case <-over:
			return object{"records": records}, nil
		}
	}
	return object{"records": records}, nil
}

type saramaMember struct {
	group   sarama.ConsumerGroup
	inbox   *inbox
	lock    sync.Mutex
	claims  map[string][]int32
	session sarama.ConsumerGroupSession
	cancel  context.CancelFunc
	done    chan struct{}
}

func (s *saramaDriver) subscribe(c command) (object, error) {
	config := saramaConfig()
	config.Consumer.Group.Session.Timeout = c.session()
	config.Consumer.Group.Heartbeat.Interval = c.heartbeat()
	config.Consumer.Group.Rebalance.Timeout = 20 * time.Second
	config.Consumer.Group.InstanceId = c.Instance
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	if c.From == "latest" {
		config.Consumer.Offsets.Initial = sarama.OffsetNewest
	}
	config.Consumer.Offsets.AutoCommit.Enable = c.AutoCommit
	config.Consumer.Offsets.AutoCommit.Interval = 200 * time.Millisecond
	strategies := map[string]sarama.BalanceStrategy{"": sarama.NewBalanceStrategyRange(), "range": sarama.NewBalanceStrategyRange(), "roundrobin": sarama.NewBalanceStrategyRoundRobin()}
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategies[c.Assignor]}
	group, err := sarama.NewConsumerGroup(s.bootstrap, c.Group, config)
	if err != nil {
		return nil, err
	}
	context, cancel := context.WithCancel(context.Background())
	member := &saramaMember{group: group, inbox: newInbox(), cancel: cancel, done: make(chan struct{}), claims: map[string][]int32{}}
	go func() {
		defer close(member.done)
		for context.Err() == nil {
			if err := group.Consume(context, c.Topics, member); err != nil {
				fmt.Fprintln(os.Stderr, "consume:", err)
				time.Sleep(100 * time.Millisecond)
			}
		}
	}()
	return object{"consumer": s.members.add(member)}, nil
}

func (m *saramaMember) Setup(session sarama.ConsumerGroupSession) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.session, m.claims = session, session.Claims()
	return nil
}

func (m *saramaMember) Cleanup(sarama.ConsumerGroupSession) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.session, m.claims = nil, map[string][]int32{}
	return nil
}

func (m *saramaMember) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case one, isOpen := <-claim.Messages():
			if !isOpen {
				return nil
			}
			m.inbox.records <- saramaShown(one)
			if session.Context().Err() == nil {
				session.MarkMessage(one, "")
			}
		case <-session.Context().Done():
			return nil
		}
	}
}

func (s *saramaDriver) commit(c command) (object, error) {
	member := s.members.get(c.Consumer)
	member.lock.Lock()
	session := member.session
	member.lock.Unlock()
	if session == nil {
		return nil, errors.New("no session")
	}
	for _, one := range c.Offsets {
		session.ResetOffset(one.Topic, one.Partition, one.Offset, one.Metadata)
		session.MarkOffset(one.Topic, one.Partition, one.Offset, one.Metadata)
	}
	session.Commit()
	return object{}, nil
}

func (s *saramaDriver) close(c command) (object, error) {
	member := s.members.get(c.Consumer)
	member.cancel()
	<-member.done
	return object{}, member.group.Close()
}

func (s *saramaDriver) offsets(c command) (object, error) {
	client, err := sarama.NewClient(s.bootstrap, saramaConfig())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	begin, err := client.GetOffset(c.Topic, c.Partition, sarama.OffsetOldest)
	if err != nil {
		return nil, err
	}
	end, err := client.GetOffset(c.Topic, c.Partition, sarama.OffsetNewest)
	return object{"begin": begin, "end": end}, err
}

func saramaConfigs(admin sarama.ClusterAdmin, c command) (object, error) {
	entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: c.Name})
	configs := object{}
	for _, one := range entries {
		configs[one.Name] = object{"value": one.Value, "source": one.Source.String()}
	}
	return object{"configs": configs}, err
}

func saramaSetConfigs(admin sarama.ClusterAdmin, c command) (object, error) {
	ops := map[string]sarama.IncrementalAlterConfigsOperation{
		"": sarama.IncrementalAlterConfigsOperationSet, "set": sarama.IncrementalAlterConfigsOperationSet, "delete": sarama.IncrementalAlterConfigsOperationDelete,
		"append": sarama.IncrementalAlterConfigsOperationAppend, "subtract": sarama.IncrementalAlterConfigsOperationSubtract,
	}
	entries := map[string]sarama.IncrementalAlterConfigsEntry{}
	for _, one := range c.Ops {
		entries[one.Name] = sarama.IncrementalAlterConfigsEntry{Operation: ops[one.Op], Value: &one.Value}
	}
	return object{}, admin.IncrementalAlterConfig(sarama.TopicResource, c.Name, entries, false)
}

func saramaDescribeGroup(admin sarama.ClusterAdmin, c command) (object, error) {
	found, err := admin.DescribeConsumerGroups([]string{c.Group})
	if err != nil {
		return nil, err
	}
	members := []object{}
	for id, one := range found[0].Members {
		members = append(members, object{"id": id, "instance": one.GroupInstanceId, "client": one.ClientId, "host": one.ClientHost})
	}
	return object{"state": found[0].State, "assignor": found[0].Protocol, "members": members}, nil
}
