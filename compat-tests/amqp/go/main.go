// The verbs of compat-tests/drivers/driver.ts on amqp091-go: JSON lines with commands on stdin, JSON lines with replies on
// stdout, matched by id. Commands run side by side, so the caller orders them by awaiting replies.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

type object = map[string]any

type exchange struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Args object `json:"args"`
}

type queue struct {
	Name      string `json:"name"`
	Durable   *bool  `json:"durable"`
	Exclusive bool   `json:"exclusive"`
	Args      object `json:"args"`
}

type binding struct {
	Queue    string `json:"queue"`
	Exchange string `json:"exchange"`
	Key      string `json:"key"`
	// An exchange in place of a queue.
	Destination string `json:"destination"`
	Args        object `json:"args"`
}

type properties struct {
	Priority      uint8    `json:"priority"`
	Expiration    string   `json:"expiration"`
	ReplyTo       string   `json:"replyTo"`
	CorrelationId string   `json:"correlationId"`
	Cc            []string `json:"cc"`
	Delay         *int32   `json:"delay"`
}

type message struct {
	Key           *string           `json:"key"`
	RoutingKey    *string           `json:"routingKey"`
	Tag           *string           `json:"tag"`
	Headers       map[string]string `json:"headers"`
	BinaryHeaders map[string]string `json:"binaryHeaders"`
	Body          *string           `json:"body"`
	Properties    properties        `json:"properties"`
}

type command struct {
	Id        int        `json:"id"`
	Op        string     `json:"op"`
	Exchanges []exchange `json:"exchanges"`
	Queues    []queue    `json:"queues"`
	Bindings  []binding  `json:"bindings"`
	Exchange  string     `json:"exchange"`
	Mandatory bool       `json:"mandatory"`
	Messages  []message  `json:"messages"`
	Queue     string     `json:"queue"`
	NoAck     *bool      `json:"noAck"`
	Prefetch  *int       `json:"prefetch"`
	Args      object     `json:"args"`
	Consumer  string     `json:"consumer"`
	Count     int        `json:"count"`
	WaitMs    int        `json:"waitMs"`
	Handles   []string   `json:"handles"`
	How       string     `json:"how"`
	Multiple  bool       `json:"multiple"`
	Exclusive bool       `json:"exclusive"`
	Body      *string    `json:"body"`
	Commit    bool       `json:"commit"`
}

type subscription struct {
	channel    *amqp.Channel
	tag        string
	deliveries <-chan amqp.Delivery
	cancels    <-chan string
}

var (
	url           string
	replies       sync.Mutex
	lock          sync.Mutex
	current       *amqp.Connection
	ids           int
	subscriptions = map[string]*subscription{}
)

func main() {
	for _, arg := range os.Args[1:] {
		if name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "="); name == "amqp" {
			url = value
		}
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
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
		failure := object{"kind": fmt.Sprintf("%T", err), "message": err.Error()}
		var closed *amqp.Error
		if errors.As(err, &closed) {
			failure["code"] = closed.Code
		}
		reply["error"] = failure
	} else {
		reply["ok"] = ok
	}
	line, _ := json.Marshal(reply)
	replies.Lock()
	defer replies.Unlock()
	os.Stdout.Write(append(line, '\n'))
}

func run(c command) (object, error) {
	switch c.Op {
	case "amqp.declare":
		return declare(c)
	case "amqp.publish":
		return publish(c)
	case "amqp.get":
		return get(c)
	case "amqp.subscribe":
		return subscribe(c)
	case "amqp.take":
		return take(c)
	case "amqp.settle":
		return object{}, settle(c)
	case "amqp.close":
		return object{}, unsubscribe(c)
	case "amqp.delete":
		return object{}, remove(c)
	case "amqp.rpc":
		return rpc(c)
	case "amqp.tx":
		return object{}, transaction(c)
	case "amqp.cancelled":
		return cancelled(c)
	case "amqp.queueState":
		return queueState(c)
	}
	return nil, errors.New("unknown verb " + c.Op)
}

// channel opens a channel on the one connection, which is made anew when it was lost.
func channel() (*amqp.Channel, error) {
	lock.Lock()
	defer lock.Unlock()
	if current == nil || current.IsClosed() {
		connection, err := amqp.Dial(url)
		if err != nil {
			return nil, err
		}
		current = connection
	}
	return current.Channel()
}

// table gives arguments as the library wants them: whole numbers as int64.
func table(args object) amqp.Table {
	if args == nil {
		return nil
	}
	out := amqp.Table{}
	for name, value := range args {
		if number, ok := value.(float64); ok && number == float64(int64(number)) {
			out[name] = int64(number)
		} else {
			out[name] = value
		}
	}
	return out
}

func declare(c command) (object, error) {
	ch, err := channel()
	if err != nil {
		return nil, err
	}
	for _, x := range c.Exchanges {
		kind := x.Type
		if kind == "" {
			kind = "topic"
		}
		if err := ch.ExchangeDeclare(x.Name, kind, true, false, false, false, table(x.Args)); err != nil {
			return nil, err
		}
	}
	names := []string{}
	for _, q := range c.Queues {
		isDurable := q.Durable == nil || *q.Durable
		made, err := ch.QueueDeclare(q.Name, isDurable, false, q.Exclusive, false, table(q.Args))
		if err != nil {
			return nil, err
		}
		names = append(names, made.Name)
	}
	for _, b := range c.Bindings {
		var err error
		if b.Destination == "" {
			err = ch.QueueBind(b.Queue, b.Key, b.Exchange, false, table(b.Args))
		} else {
			err = ch.ExchangeBind(b.Destination, b.Key, b.Exchange, false, table(b.Args))
		}
		if err != nil {
			return nil, err
		}
	}
	return object{"queues": names}, ch.Close()
}

func decode(text *string) []byte {
	if text == nil {
		return nil
	}
	bytes, _ := base64.StdEncoding.DecodeString(*text)
	return bytes
}

func encode(bytes []byte) string { return base64.StdEncoding.EncodeToString(bytes) }

func publishing(m message, number int) amqp.Publishing {
	headers := amqp.Table{}
	for name, value := range m.Headers {
		headers[name] = value
	}
	for name, value := range m.BinaryHeaders {
		headers[name] = decode(&value)
	}
	if m.Tag != nil {
		headers["TAGS"] = *m.Tag
	}
	if m.Properties.Cc != nil {
		keys := []any{}
		for _, key := range m.Properties.Cc {
			keys = append(keys, key)
		}
		headers["CC"] = keys
	}
	if m.Properties.Delay != nil {
		headers["x-delay"] = *m.Properties.Delay
	}
	out := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: decode(m.Body), MessageId: strconv.Itoa(number)}
	out.Priority, out.Expiration = m.Properties.Priority, m.Properties.Expiration
	out.ReplyTo, out.CorrelationId = m.Properties.ReplyTo, m.Properties.CorrelationId
	if len(headers) > 0 {
		out.Headers = headers
	}
	return out
}

// publish sends all, waits for every confirm, and tells for each whether it was confirmed, refused or returned.
func publish(c command) (object, error) {
	ch, err := channel()
	if err != nil {
		return nil, err
	}
	defer ch.Close()
	if err := ch.Confirm(false); err != nil {
		return nil, err
	}
	returns := ch.NotifyReturn(make(chan amqp.Return, len(c.Messages)))
	results := make([]object, len(c.Messages))
	confirms := make([]*amqp.DeferredConfirmation, len(c.Messages))
	for i, m := range c.Messages {
		key := string(decode(m.Key))
		if m.RoutingKey != nil {
			key = *m.RoutingKey
		}
		confirms[i], err = ch.PublishWithDeferredConfirm(c.Exchange, key, c.Mandatory, false, publishing(m, i))
		if err != nil {
			results[i] = object{"confirmed": false, "error": object{"kind": fmt.Sprintf("%T", err), "message": err.Error()}}
		}
	}
	wait := time.Duration(c.WaitMs) * time.Millisecond
	if wait == 0 {
		wait = 20 * time.Second
	}
	deadline := time.After(wait)
	for i, confirm := range confirms {
		if confirm == nil {
			continue
		}
		select {
		case <-confirm.Done():
			results[i] = object{"confirmed": confirm.Acked()}
			if !confirm.Acked() {
				results[i]["error"] = object{"kind": "nacked", "message": "nacked"}
			}
		case <-deadline:
			results[i] = object{"confirmed": false, "error": object{"kind": "timeout", "message": "no confirm"}}
		}
	}
	for len(returns) > 0 {
		back := <-returns
		number, _ := strconv.Atoi(back.MessageId)
		results[number]["returned"] = object{"code": back.ReplyCode, "text": back.ReplyText}
	}
	return object{"results": results}, nil
}

func received(exchange, key string, isRedelivered bool, tag uint64, table amqp.Table, body []byte) object {
	headers := object{}
	var mark any
	for name, value := range table {
		var bytes []byte
		switch v := value.(type) {
		case nil:
		case []byte:
			bytes = v
		case string:
			bytes = []byte(v)
		default:
			bytes = []byte(fmt.Sprint(v))
		}
		if name == "TAGS" {
			mark = string(bytes)
		} else if value == nil {
			headers[name] = nil
		} else {
			headers[name] = encode(bytes)
		}
	}
	out := object{
		"exchange": exchange, "routingKey": key, "redelivered": isRedelivered, "handle": strconv.FormatUint(tag, 10),
		"key": nil, "tag": mark, "headers": headers, "body": encode(body),
	}
	if key != "" {
		out["key"] = encode([]byte(key))
	}
	return out
}

func get(c command) (object, error) {
	ch, err := channel()
	if err != nil {
		return nil, err
	}
	defer ch.Close()
	got, isThere, err := ch.Get(c.Queue, c.NoAck == nil || *c.NoAck)
	if err != nil {
		return nil, err
	}
	if !isThere {
		return object{"message": nil, "remaining": 0}, nil
	}
	message := received(got.Exchange, got.RoutingKey, got.Redelivered, got.DeliveryTag, got.Headers, got.Body)
	return object{"message": message, "remaining": got.MessageCount}, nil
}

func subscribe(c command) (object, error) {
	ch, err := channel()
	if err != nil {
		return nil, err
	}
	prefetch := 100
	if c.Prefetch != nil {
		prefetch = *c.Prefetch
	}
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return nil, err
	}
	lock.Lock()
	ids++
	name := fmt.Sprintf("g%d", ids)
	lock.Unlock()
	cancels := ch.NotifyCancel(make(chan string, 1))
	deliveries, err := ch.Consume(c.Queue, name, c.NoAck != nil && *c.NoAck, c.Exclusive, false, false, table(c.Args))
	if err != nil {
		return nil, err
	}
	lock.Lock()
	subscriptions[name] = &subscription{ch, name, deliveries, cancels}
	lock.Unlock()
	return object{"consumer": name}, nil
}

func subscribed(name string) *subscription {
	lock.Lock()
	defer lock.Unlock()
	return subscriptions[name]
}

func take(c command) (object, error) {
	s := subscribed(c.Consumer)
	messages := []object{}
	wait := time.Duration(c.WaitMs) * time.Millisecond
	if wait == 0 {
		wait = 10 * time.Second
	}
	deadline := time.After(wait)
	for len(messages) < max(c.Count, 1) {
		select {
		case d, isOpen := <-s.deliveries:
			if !isOpen {
				return object{"messages": messages}, nil
			}
			message := received(d.Exchange, d.RoutingKey, d.Redelivered, d.DeliveryTag, d.Headers, d.Body)
			message["system"] = object{"replyTo": d.ReplyTo, "correlationId": d.CorrelationId}
			messages = append(messages, message)
		case <-deadline:
			return object{"messages": messages}, nil
		}
	}
	return object{"messages": messages}, nil
}

func settle(c command) error {
	s := subscribed(c.Consumer)
	for _, handle := range c.Handles {
		tag, err := strconv.ParseUint(handle, 10, 64)
		if err != nil {
			return err
		}
		switch c.How {
		case "", "ack":
			err = s.channel.Ack(tag, c.Multiple)
		case "retry":
			err = s.channel.Nack(tag, c.Multiple, true)
		case "reject":
			err = s.channel.Reject(tag, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func unsubscribe(c command) error {
	s := subscribed(c.Consumer)
	if s.channel.IsClosed() {
		return nil
	}
	return s.channel.Close()
}

// rpc asks through amq.rabbitmq.reply-to and waits for the answer, as RPC clients do.
func rpc(c command) (object, error) {
	ch, err := channel()
	if err != nil {
		return nil, err
	}
	defer ch.Close()
	answers, err := ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
	if err != nil {
		return nil, err
	}
	question := amqp.Publishing{Body: decode(c.Body), ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: "question"}
	if err := ch.Publish("", c.Queue, false, false, question); err != nil {
		return nil, err
	}
	select {
	case d := <-answers:
		message := received(d.Exchange, d.RoutingKey, d.Redelivered, d.DeliveryTag, d.Headers, d.Body)
		message["system"] = object{"correlationId": d.CorrelationId}
		return object{"message": message}, nil
	case <-time.After(10 * time.Second):
		return object{"message": nil}, nil
	}
}

func transaction(c command) error {
	ch, err := channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	if err := ch.Tx(); err != nil {
		return err
	}
	for i, m := range c.Messages {
		if err := ch.Publish("", c.Queue, false, false, publishing(m, i)); err != nil {
			return err
		}
	}
	if c.Commit {
		return ch.TxCommit()
	}
	return ch.TxRollback()
}

func remove(c command) error {
	ch, err := channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	_, err = ch.QueueDelete(c.Queue, false, false, false)
	return err
}

func cancelled(c command) (object, error) {
	select {
	case <-subscribed(c.Consumer).cancels:
		return object{"cancelled": true}, nil
	default:
		return object{"cancelled": false}, nil
	}
}

func queueState(c command) (object, error) {
	ch, err := channel()
	if err != nil {
		return nil, err
	}
	defer ch.Close()
	state, err := ch.QueueDeclarePassive(c.Queue, true, false, false, false, nil)
	if err != nil {
		return nil, err
	}
	return object{"ready": state.Messages, "consumers": state.Consumers}, nil
}
