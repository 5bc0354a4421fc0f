package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func codeOfFranz(err error) (int16, bool) {
	var known *kerr.Error
	if errors.As(err, &known) {
		return known.Code, true
	}
	return 0, false
}

type franz struct {
	bootstrap string
	admin     *kadm.Client
	lock      sync.Mutex
	producers map[string]*kgo.Client
	members   named[*franzMember]
}

type franzMember struct {
	client   *kgo.Client
	inbox    *inbox
	lock     sync.Mutex
	assigned map[string][]int32
	journal  *journal
	over     chan struct{}
	done     chan struct{}
}

func franzVerbs(bootstrap string) map[string]verb {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ClientID("compat-franz"), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		panic(err)
	}
	f := &franz{bootstrap: bootstrap, admin: kadm.NewClient(client), producers: map[string]*kgo.Client{}}
	return map[string]verb{
		"produce": f.produce, "read": f.read, "subscribe": f.subscribe, "commit": f.commit, "close": f.close,
		"take": func(c command) (object, error) {
			return object{"records": f.members.get(c.Consumer).inbox.take(c.count(), c.timeout())}, nil
		},
		"assigned": func(c command) (object, error) {
			member := f.members.get(c.Consumer)
			member.lock.Lock()
			defer member.lock.Unlock()
			return object{"partitions": namesOf(member.assigned)}, nil
		},
		"createTopic": f.createTopic,
		"deleteTopic": func(c command) (object, error) {
			_, err := f.admin.DeleteTopic(context.Background(), c.Topic)
			return object{}, err
		},
		"topics": func(c command) (object, error) {
			topics, err := f.admin.ListTopics(context.Background())
			return object{"topics": topics.Names()}, err
		},
		"offsets": f.offsets, "configs": f.configs, "setConfigs": f.setConfigs, "deleteRecords": f.deleteRecords,
		"createPartitions": func(c command) (object, error) {
			answers, err := f.admin.UpdatePartitions(context.Background(), c.Count, c.Topic)
			return object{}, errors.Join(err, answers.Error())
		},
		"groups": f.groups, "describeGroup": f.describeGroup, "committed": f.committed, "cluster": f.cluster,
		"deleteGroup": func(c command) (object, error) {
			_, err := f.admin.DeleteGroup(context.Background(), c.Group)
			return object{}, err
		},
	}
}

func namesOf(partitions map[string][]int32) []string {
	names := []string{}
	for topic, all := range partitions {
		for _, one := range all {
			names = append(names, fmt.Sprintf("%s/%d", topic, one))
		}
	}
	sort.Strings(names)
	return names
}

func (f *franz) producer(c command) (*kgo.Client, error) {
	f.lock.Lock()
	defer f.lock.Unlock()
	name := fmt.Sprint(c.Producer)
	if opened, known := f.producers[name]; known {
		return opened, nil
	}
	codecs := map[string]kgo.CompressionCodec{
		"": kgo.NoCompression(), "none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(f.bootstrap), kgo.RecordPartitioner(chosen{kgo.StickyKeyPartitioner(nil)}), kgo.ProducerBatchCompression(codecs[c.Producer.Compression]),
		kgo.ProducerLinger(time.Duration(c.Producer.LingerMs) * time.Millisecond), kgo.RecordRetries(20), kgo.AllowAutoTopicCreation(),
		kgo.MetadataMinAge(50 * time.Millisecond),
	}
	if c.Producer.RequestBytesMax > 0 {
		options = append(options, kgo.ProducerBatchMaxBytes(c.Producer.RequestBytesMax))
	}
	switch c.Producer.Acks {
	case "0":
		options = append(options, kgo.RequiredAcks(kgo.NoAck()))
	case "1":
		options = append(options, kgo.RequiredAcks(kgo.LeaderAck()))
	}
	if !c.Producer.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	opened, err := kgo.NewClient(options...)
	if err == nil {
		f.producers[name] = opened
	}
	return opened, err
}

// chosen keeps a partition that the message names, and leaves the others to the partitioner.
type chosen struct{ kgo.Partitioner }

func (p chosen) ForTopic(topic string) kgo.TopicPartitioner {
	return chosenInTopic{p.Partitioner.ForTopic(topic)}
}

type chosenInTopic struct{ kgo.TopicPartitioner }

func (p chosenInTopic) RequiresConsistency(*kgo.Record) bool { return true }

func (p chosenInTopic) Partition(record *kgo.Record, count int) int {
	if record.Partition >= 0 {
		return int(record.Partition)
	}
	return p.TopicPartitioner.Partition(record, count)
}

func (f *franz) produce(c command) (object, error) {
	client, err := f.producer(c)
	if err != nil {
		return nil, err
	}
	records := []*kgo.Record{}
	results := make([]object, len(c.Messages))
	var all sync.WaitGroup
	for i, one := range c.Messages {
		record := &kgo.Record{Topic: c.Topic, Key: bytesOf(one.Key), Value: bytesOf(one.Value), Partition: -1}
		if one.Partition != nil {
			record.Partition = *one.Partition
		}
		if one.Timestamp != nil {
			record.Timestamp = time.UnixMilli(*one.Timestamp)
		}
		for _, header := range headersOf(one) {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: header.name, Value: header.value})
		}
		records = append(records, record)
		all.Add(1)
		client.Produce(context.Background(), record, func(stored *kgo.Record, err error) {
			defer all.Done()
			if err != nil {
				results[i] = object{"error": failure(err)}
			} else {
				results[i] = object{"partition": stored.Partition, "offset": stored.Offset}
			}
		})
	}
	all.Wait()
	return object{"results": results}, nil
}

func franzShown(record *kgo.Record) object {
	headers := [][2]any{}
	for _, one := range record.Headers {
		headers = append(headers, [2]any{one.Key, orNull(one.Value)})
	}
	return object{
		"topic": record.Topic, "partition": record.Partition, "offset": record.Offset, "timestamp": record.Timestamp.UnixMilli(),
		"key": orNull(record.Key), "value": orNull(record.Value), "headers": headers, "epoch": record.LeaderEpoch,
	}
}

func (f *franz) read(c command) (object, error) {
	offset := kgo.NewOffset().AtStart()
	if first, isNumber := c.From.(float64); isNumber {
		offset = kgo.NewOffset().At(int64(first))
	} else if c.From == "end" {
		offset = kgo.NewOffset().AtEnd()
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(f.bootstrap), kgo.FetchMaxWait(200*time.Millisecond), kgo.MetadataMinAge(50*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.Topic: {c.Partition: offset}}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	over, cancel := context.WithTimeout(context.Background(), c.timeout())
	defer cancel()
	records := []object{}
	for len(records) < c.count() && over.Err() == nil {
		fetches := client.PollRecords(over, c.count()-len(records))
		for _, failed := range fetches.Errors() {
			if _, known := codeOfFranz(failed.Err); known {
				return nil, failed.Err
			}
		}
		fetches.EachRecord(func(one *kgo.Record) { records = append(records, franzShown(one)) })
	}
	return object{"records": records}, nil
}

func (f *franz) subscribe(c command) (object, error) {
	file, err := openJournal(c.Journal)
	if err != nil {
		return nil, err
	}
	member := &franzMember{inbox: newInbox(), assigned: map[string][]int32{}, journal: file, over: make(chan struct{}), done: make(chan struct{})}
	balancers := map[string]kgo.GroupBalancer{"": kgo.RangeBalancer(), "range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(), "cooperative": kgo.CooperativeStickyBalancer()}
	reset := kgo.NewOffset().AtStart()
	if c.From == "latest" {
		reset = kgo.NewOffset().AtEnd()
	}
	changed := func(what string, change func(map[string][]int32)) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, client *kgo.Client, partitions map[string][]int32) {
			member.lock.Lock()
			defer member.lock.Unlock()
			change(partitions)
			held := []int32{}
			for _, all := range member.assigned {
				held = append(held, all...)
			}
			_, generation := client.GroupMetadata()
			member.journal.write("%s %d %s", what, generation, joined(held))
		}
	}
	gone := func(partitions map[string][]int32) {
		for topic, all := range partitions {
			member.assigned[topic] = slices.DeleteFunc(slices.Clone(member.assigned[topic]), func(one int32) bool { return slices.Contains(all, one) })
		}
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(f.bootstrap), kgo.ConsumerGroup(c.Group), kgo.ConsumeTopics(c.Topics...), kgo.ConsumeResetOffset(reset), kgo.Balancers(balancers[c.Assignor]),
		kgo.SessionTimeout(c.session()), kgo.HeartbeatInterval(c.heartbeat()), kgo.RebalanceTimeout(millis(c.PollMs, 20_000)), kgo.FetchMaxWait(200 * time.Millisecond),
		kgo.MetadataMinAge(50 * time.Millisecond), kgo.MetadataMaxAge(time.Second), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(changed("A", func(partitions map[string][]int32) {
			for topic, all := range partitions {
				member.assigned[topic] = append(slices.Clone(member.assigned[topic]), all...)
			}
		})),
		kgo.OnPartitionsRevoked(changed("R", gone)), kgo.OnPartitionsLost(changed("R", gone)),
	}
	if c.AutoCommit {
		options = append(options, kgo.AutoCommitInterval(200*time.Millisecond), kgo.AutoCommitMarks())
	} else {
		options = append(options, kgo.DisableAutoCommit())
	}
	if c.Instance != "" {
		options = append(options, kgo.InstanceID(c.Instance))
	}
	member.client, err = kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	go member.poll(c)
	return object{"consumer": f.members.add(member)}, nil
}

func (m *franzMember) poll(c command) {
	defer close(m.done)
	for {
		select {
		case <-m.over:
			return
		default:
		}
		soon, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		fetches := m.client.PollRecords(soon, 500)
		cancel()
		if fetches.IsClientClosed() {
			return
		}
		fetches.EachRecord(func(one *kgo.Record) {
			m.journal.write("D %d %d %s", one.Partition, one.Offset, string(one.Value))
			m.inbox.records <- franzShown(one)
			if c.AutoCommit {
				m.client.MarkCommitRecords(one)
			}
		})
		if c.CommitsEach && fetches.NumRecords() > 0 {
			began := now()
			_, generation := m.client.GroupMetadata()
			if err := m.client.CommitRecords(context.Background(), fetches.Records()...); err != nil {
				m.journal.write("F %d %d %v", began, generation, err)
			} else {
				next := map[int32]int64{}
				fetches.EachRecord(func(one *kgo.Record) { next[one.Partition] = one.Offset + 1 })
				told := ""
				for _, partition := range slices.Sorted(maps.Keys(next)) {
					told += fmt.Sprintf(",%d:%d", partition, next[partition])
				}
				m.journal.write("C %d %d %s", began, generation, told[1:])
			}
		}
		m.client.AllowRebalance()
	}
}

func (f *franz) commit(c command) (object, error) {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	var failed error
	var metadata string
	for _, one := range c.Offsets {
		if offsets[one.Topic] == nil {
			offsets[one.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[one.Topic][one.Partition] = kgo.EpochOffset{Epoch: -1, Offset: one.Offset}
		metadata = one.Metadata
	}
	annotated := kgo.PreCommitFnContext(context.Background(), func(request *kmsg.OffsetCommitRequest) error {
		for i := range request.Topics {
			for j := range request.Topics[i].Partitions {
				request.Topics[i].Partitions[j].Metadata = &metadata
			}
		}
		return nil
	})
	f.members.get(c.Consumer).client.CommitOffsetsSync(annotated, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, err error) {
		failed = err
		if response == nil {
			return
		}
		for _, topic := range response.Topics {
			for _, partition := range topic.Partitions {
				failed = errors.Join(failed, kerr.ErrorForCode(partition.ErrorCode))
			}
		}
	})
	return object{}, failed
}

func (f *franz) close(c command) (object, error) {
	member := f.members.get(c.Consumer)
	close(member.over)
	<-member.done
	member.client.CloseAllowingRebalance()
	return object{}, nil
}

func (f *franz) createTopic(c command) (object, error) {
	configs := map[string]*string{}
	for name, value := range c.Configs {
		configs[name] = &value
	}
	_, err := f.admin.CreateTopic(context.Background(), c.partitions(), max(c.Replicas, 1), configs, c.Topic)
	return object{}, err
}

func (f *franz) offsets(c command) (object, error) {
	begin, err := f.admin.ListStartOffsets(context.Background(), c.Topic)
	if err != nil {
		return nil, err
	}
	end, err := f.admin.ListEndOffsets(context.Background(), c.Topic)
	first, _ := begin.Lookup(c.Topic, c.Partition)
	next, _ := end.Lookup(c.Topic, c.Partition)
	return object{"begin": first.Offset, "end": next.Offset}, err
}

func (f *franz) configs(c command) (object, error) {
	found, err := f.admin.DescribeTopicConfigs(context.Background(), c.Name)
	if err != nil {
		return nil, err
	}
	configs := object{}
	for _, one := range found[0].Configs {
		configs[one.Key] = object{"value": one.Value, "source": one.Source.String()}
	}
	return object{"configs": configs}, found[0].Err
}

func (f *franz) setConfigs(c command) (object, error) {
	ops := map[string]kadm.IncrementalOp{"": kadm.SetConfig, "set": kadm.SetConfig, "delete": kadm.DeleteConfig, "append": kadm.AppendConfig, "subtract": kadm.SubtractConfig}
	changes := []kadm.AlterConfig{}
	for _, one := range c.Ops {
		changes = append(changes, kadm.AlterConfig{Op: ops[one.Op], Name: one.Name, Value: &one.Value})
	}
	answers, err := f.admin.AlterTopicConfigs(context.Background(), changes, c.Name)
	if err == nil {
		err = answers[0].Err
	}
	return object{}, err
}

func (f *franz) deleteRecords(c command) (object, error) {
	before := kadm.Offsets{}
	before.AddOffset(c.Topic, c.Partition, c.Before, -1)
	answers, err := f.admin.DeleteRecords(context.Background(), before)
	if err != nil {
		return nil, err
	}
	low, _ := answers.Lookup(c.Topic, c.Partition)
	return object{"low": low.LowWatermark}, answers.Error()
}

func (f *franz) groups(c command) (object, error) {
	listed, err := f.admin.ListGroups(context.Background(), c.States...)
	groups := []object{}
	for _, one := range listed.Sorted() {
		groups = append(groups, object{"group": one.Group, "state": one.State})
	}
	return object{"groups": groups}, err
}

func (f *franz) describeGroup(c command) (object, error) {
	found, err := f.admin.DescribeGroups(context.Background(), c.Group)
	if err != nil {
		return nil, err
	}
	group := found[c.Group]
	members := []object{}
	for _, one := range group.Members {
		members = append(members, object{"id": one.MemberID, "instance": one.InstanceID, "client": one.ClientID, "host": one.ClientHost})
	}
	return object{"state": group.State, "assignor": group.Protocol, "members": members}, group.Err
}

func (f *franz) committed(c command) (object, error) {
	found, err := f.admin.FetchOffsets(context.Background(), c.Group)
	offsets := object{}
	found.Each(func(one kadm.OffsetResponse) {
		offsets[fmt.Sprintf("%s/%d", one.Topic, one.Partition)] = object{"offset": one.At, "metadata": one.Metadata}
	})
	return object{"offsets": offsets}, err
}

func (f *franz) cluster(command) (object, error) {
	found, err := f.admin.BrokerMetadata(context.Background())
	nodes := []string{}
	for _, one := range found.Brokers {
		nodes = append(nodes, fmt.Sprintf("%d %s:%d", one.NodeID, one.Host, one.Port))
	}
	return object{"clusterId": found.Cluster, "controller": found.Controller, "nodes": nodes}, err
}
