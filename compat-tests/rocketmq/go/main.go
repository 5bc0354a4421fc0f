// The Go client as a process: JSON lines with commands on stdin, JSON lines with replies on stdout, matched by id. It
// answers send, subscribe, received, close and pull, as compat-tests/rocketmq/client.ts describes them.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

type sentMessage struct {
	Body       string            `json:"body"`
	Size       int               `json:"size"`
	Key        string            `json:"key"`
	Tag        string            `json:"tag"`
	Properties map[string]string `json:"properties"`
	Queue      *int              `json:"queue"`
	Shard      string            `json:"shard"`
}

type rule struct {
	Body  string `json:"body"`
	Times *int   `json:"times"`
}

type command struct {
	Id         int               `json:"id"`
	Op         string            `json:"op"`
	Topic      string            `json:"topic"`
	How        string            `json:"how"`
	Messages   []sentMessage     `json:"messages"`
	Group      string            `json:"group"`
	Topics     map[string]string `json:"topics"`
	Orderly    bool              `json:"orderly"`
	Broadcast  bool              `json:"broadcast"`
	From       any               `json:"from"`
	Rules      []rule            `json:"rules"`
	RetryLevel int               `json:"retryLevel"`
	MaxRetries *int32            `json:"maxReconsume"`
	Consumer   string            `json:"consumer"`
	Count      int               `json:"count"`
	WaitMs     int               `json:"waitMs"`
	Queue      int               `json:"queue"`
	Offset     int64             `json:"offset"`
	Producer   map[string]any    `json:"producer"`
	Namespace  string            `json:"namespace"`
}

type object = map[string]any

// push is a consumer, its rules and what it was given.
type push struct {
	consumer   rocketmq.PushConsumer
	lock       sync.Mutex
	deliveries []object
	seen       map[string]int
}

var (
	namesrv   []string
	replies   sync.Mutex
	lock      sync.Mutex
	ids       atomic.Int64
	producers = map[string]rocketmq.Producer{}
	pushes    = map[string]*push{}
	pullers   = map[string]rocketmq.PullConsumer{}
)

func instance() string {
	return fmt.Sprintf("go%dx%d", os.Getpid(), ids.Add(1))
}

func main() {
	rlog.SetLogLevel("warn")
	rlog.SetOutputPath(os.DevNull)
	namesrv = strings.Split(os.Args[1], ";")
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 16<<20)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			fmt.Fprintln(os.Stderr, "not a command:", err)
			continue
		}
		go answer(c)
	}
}

func answer(c command) {
	reply := object{"id": c.Id}
	if ok, err := run(c); err != nil {
		reply["error"] = failure(err)
	} else {
		reply["ok"] = ok
	}
	line, _ := json.Marshal(reply)
	replies.Lock()
	defer replies.Unlock()
	os.Stdout.Write(append(line, '\n'))
}

func failure(err error) object {
	var broker *primitive.MQBrokerErr
	f := object{"kind": fmt.Sprintf("%T", err), "message": err.Error(), "code": nil}
	if errors.As(err, &broker) {
		f["code"] = broker.ResponseCode
	}
	return f
}

func run(c command) (object, error) {
	switch c.Op {
	case "send":
		return send(c)
	case "subscribe":
		return subscribe(c)
	case "received":
		return received(c)
	case "close":
		lock.Lock()
		p := pushes[c.Consumer]
		delete(pushes, c.Consumer)
		lock.Unlock()
		return object{}, p.consumer.Shutdown()
	case "pull":
		return pull(c)
	}
	return nil, errors.New("unknown verb " + c.Op)
}

// selector keeps a chosen queue, else places by sharding key, else takes queues in turn.
type selector struct {
	hash producer.QueueSelector
	turn producer.QueueSelector
}

func (s selector) Select(m *primitive.Message, queues []*primitive.MessageQueue, lastBroker string) *primitive.MessageQueue {
	if m.Queue != nil {
		for _, q := range queues {
			if q.QueueId == m.Queue.QueueId {
				return q
			}
		}
	}
	if m.GetShardingKey() != "" {
		return s.hash.Select(m, queues, lastBroker)
	}
	return s.turn.Select(m, queues, lastBroker)
}

func theProducer(c command) (rocketmq.Producer, error) {
	lock.Lock()
	defer lock.Unlock()
	name, _ := json.Marshal(c.Producer)
	if p := producers[string(name)]; p != nil {
		return p, nil
	}
	options := []producer.Option{
		producer.WithNameServer(namesrv), producer.WithGroupName("go-senders"), producer.WithInstanceName(instance()),
		producer.WithRetry(2), producer.WithSendMsgTimeout(10 * time.Second),
		producer.WithQueueSelector(selector{producer.NewHashQueueSelector(), producer.NewRoundRobinQueueSelector()}),
	}
	if over, ok := c.Producer["compressOver"].(float64); ok {
		options = append(options, producer.WithCompressMsgBodyOverHowmuch(int(over)))
	} else {
		options = append(options, producer.WithCompressMsgBodyOverHowmuch(8<<20))
	}
	p, err := rocketmq.NewProducer(options...)
	if err == nil {
		err = p.Start()
	}
	if err == nil {
		producers[string(name)] = p
	}
	return p, err
}

func toMessage(topic string, from sentMessage) *primitive.Message {
	body := []byte(from.Body)
	for i := len(body); i < from.Size; i++ {
		body = append(body, byte('a'+i%23))
	}
	m := primitive.NewMessage(topic, body)
	if from.Key != "" {
		m.WithKeys([]string{from.Key})
	}
	if from.Tag != "" {
		m.WithTag(from.Tag)
	}
	if from.Shard != "" {
		m.WithShardingKey(from.Shard)
	}
	for name, value := range from.Properties {
		m.WithProperty(name, value)
	}
	if from.Queue != nil {
		m.Queue = &primitive.MessageQueue{Topic: topic, QueueId: *from.Queue}
	}
	return m
}

func send(c command) (object, error) {
	p, err := theProducer(c)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	var all []*primitive.Message
	for _, one := range c.Messages {
		all = append(all, toMessage(c.Topic, one))
	}
	results := []object{}
	switch c.How {
	case "batch":
		sent, err := p.SendSync(ctx, all...)
		if err != nil {
			return nil, err
		}
		results = append(results, result(sent, nil))
	case "oneway":
		for _, m := range all {
			if err := p.SendOneWay(ctx, m); err != nil {
				return nil, err
			}
		}
	case "async":
		results = make([]object, len(all))
		var done sync.WaitGroup
		for i, m := range all {
			done.Add(1)
			err := p.SendAsync(ctx, func(_ context.Context, sent *primitive.SendResult, err error) {
				results[i] = result(sent, err)
				done.Done()
			}, m)
			if err != nil {
				return nil, err
			}
		}
		done.Wait()
	default:
		for _, m := range all {
			sent, err := p.SendSync(ctx, m)
			results = append(results, result(sent, err))
		}
	}
	return object{"results": results}, nil
}

func result(sent *primitive.SendResult, err error) object {
	if err != nil {
		return object{"error": failure(err)}
	}
	status := "SEND_OK"
	if sent.Status != primitive.SendOK {
		status = fmt.Sprint(sent.Status)
	}
	return object{"status": status, "queue": sent.MessageQueue.QueueId, "offset": sent.QueueOffset, "id": sent.MsgID, "offsetId": sent.OffsetMsgID, "topic": sent.MessageQueue.Topic}
}

func shown(m *primitive.MessageExt) object {
	text := string(m.Body)
	if len(text) > 200 {
		text = text[:200]
	}
	return object{
		"topic": m.Topic, "queue": m.Queue.QueueId, "offset": m.QueueOffset, "body": text, "bytes": len(m.Body),
		"crc": fmt.Sprintf("%x", crc32.ChecksumIEEE(m.Body)), "attempts": m.ReconsumeTimes, "key": m.GetKeys(), "tag": m.GetTags(),
		"id": m.MsgId, "flag": m.Flag, "sysFlag": m.SysFlag, "storedAt": m.StoreTimestamp, "properties": m.GetProperties(),
		"at": time.Now().UnixMilli(),
	}
}

func subscribe(c command) (object, error) {
	options := []consumer.Option{
		consumer.WithNameServer(namesrv), consumer.WithGroupName(c.Group), consumer.WithInstance(instance()),
		consumer.WithConsumerOrder(c.Orderly), consumer.WithSuspendCurrentQueueTimeMillis(500 * time.Millisecond),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	}
	if c.From == "LAST_OFFSET" {
		options = append(options, consumer.WithConsumeFromWhere(consumer.ConsumeFromLastOffset))
	}
	if c.Broadcast {
		options = append(options, consumer.WithConsumerModel(consumer.BroadCasting))
	}
	if c.MaxRetries != nil {
		options = append(options, consumer.WithMaxReconsumeTimes(*c.MaxRetries))
	}
	made, err := rocketmq.NewPushConsumer(options...)
	if err != nil {
		return nil, err
	}
	p := &push{consumer: made, seen: map[string]int{}}
	for topic, tags := range c.Topics {
		err := made.Subscribe(topic, consumer.MessageSelector{Type: consumer.TAG, Expression: tags}, func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			for _, m := range messages {
				if p.deliver(c.Rules, m) {
					continue
				}
				if c.Orderly {
					return consumer.SuspendCurrentQueueAMoment, nil
				}
				if concurrently, ok := primitive.GetConcurrentlyCtx(ctx); ok {
					concurrently.DelayLevelWhenNextConsume = c.RetryLevel
				}
				return consumer.ConsumeRetryLater, nil
			}
			return consumer.ConsumeSuccess, nil
		})
		if err != nil {
			return nil, err
		}
	}
	if err := made.Start(); err != nil {
		return nil, err
	}
	id := "g" + instance()
	lock.Lock()
	pushes[id] = p
	lock.Unlock()
	return object{"consumer": id}, nil
}

// deliver records a delivery and says whether it succeeds.
func (p *push) deliver(rules []rule, m *primitive.MessageExt) bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.deliveries = append(p.deliveries, shown(m))
	p.seen[m.MsgId]++
	for _, r := range rules {
		if strings.HasPrefix(string(m.Body), r.Body) {
			return r.Times != nil && p.seen[m.MsgId] > *r.Times
		}
	}
	return true
}

func received(c command) (object, error) {
	lock.Lock()
	p := pushes[c.Consumer]
	lock.Unlock()
	from := 0
	if number, ok := c.From.(float64); ok {
		from = int(number)
	}
	deadline := time.Now().Add(time.Duration(c.WaitMs) * time.Millisecond)
	for {
		p.lock.Lock()
		have := append([]object{}, p.deliveries...)
		p.lock.Unlock()
		if len(have) >= from+c.Count || time.Now().After(deadline) {
			return object{"messages": have[min(from, len(have)):]}, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func pull(c command) (object, error) {
	lock.Lock()
	p := pullers[c.Topic]
	if p == nil {
		made, err := rocketmq.NewPullConsumer(consumer.WithNameServer(namesrv), consumer.WithGroupName("go-readers"), consumer.WithInstance(instance()))
		if err == nil {
			err = made.Subscribe(c.Topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "*"})
		}
		if err == nil {
			err = made.Start()
		}
		if err != nil {
			lock.Unlock()
			return nil, err
		}
		p = made
		pullers[c.Topic] = p
	}
	lock.Unlock()
	queue := &primitive.MessageQueue{Topic: c.Topic, BrokerName: c.Group, QueueId: c.Queue}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	got, err := p.PullFrom(ctx, queue, c.Offset, 32)
	if err != nil {
		return nil, err
	}
	messages := []object{}
	for _, m := range got.GetMessageExts() {
		messages = append(messages, shown(m))
	}
	return object{"messages": messages, "next": got.NextBeginOffset, "min": got.MinOffset, "max": got.MaxOffset}, nil
}
