// A Go client library as a process: JSON lines with commands on stdin, JSON lines with replies on stdout, matched by id. The
// first argument names the library, the second is the broker's address. The verbs are listed in compat-tests/kafka/client.ts.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

type sentMessage struct {
	Key       *[]byte      `json:"key"`
	Value     *[]byte      `json:"value"`
	Partition *int32       `json:"partition"`
	Headers   [][2]*string `json:"headers"`
	Timestamp *int64       `json:"timestamp"`
}

type place struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Metadata  string `json:"metadata"`
}

type command struct {
	Id       int           `json:"id"`
	Op       string        `json:"op"`
	Topic    string        `json:"topic"`
	Messages []sentMessage `json:"messages"`
	Producer struct {
		Acks            string `json:"acks"`
		Idempotent      bool   `json:"idempotent"`
		Compression     string `json:"compression"`
		LingerMs        int    `json:"lingerMs"`
		RequestBytesMax int32  `json:"requestBytesMax"`
	} `json:"producer"`
	Partition   int32           `json:"partition"`
	Partitions  json.RawMessage `json:"partitions"`
	Replicas    int16           `json:"replicas"`
	Configs     map[string]string
	From        any      `json:"from"`
	Count       int      `json:"count"`
	WaitMs      int      `json:"waitMs"`
	Group       string   `json:"group"`
	Topics      []string `json:"topics"`
	AutoCommit  bool     `json:"autoCommit"`
	Instance    string   `json:"instance"`
	Assignor    string   `json:"assignor"`
	SessionMs   int      `json:"sessionMs"`
	HeartbeatMs int      `json:"heartbeatMs"`
	PollMs      int      `json:"pollMs"`
	Journal     string   `json:"journal"`
	CommitsEach bool     `json:"commitsEach"`
	Consumer    string   `json:"consumer"`
	Offsets     []place  `json:"offsets"`
	Type        string   `json:"type"`
	Name        string   `json:"name"`
	Ops         []struct {
		Op    string `json:"op"`
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"ops"`
	Before int64    `json:"before"`
	States []string `json:"states"`
}

type object = map[string]any
type verb = func(command) (object, error)

// coded is an error and the protocol's code for it.
type coded struct {
	error
	code int16
}

var replies sync.Mutex

func main() {
	verbs := map[string]func(string) map[string]verb{"franz": franzVerbs, "sarama": saramaVerbs}[os.Args[1]](os.Args[2])
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			fmt.Fprintln(os.Stderr, "not a command:", err)
			continue
		}
		go answer(verbs, c)
	}
}

func answer(verbs map[string]verb, c command) {
	reply := object{"id": c.Id}
	run, known := verbs[c.Op]
	if !known {
		reply["error"] = failure(fmt.Errorf("unknown verb %s", c.Op))
	} else if ok, err := run(c); err != nil {
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
	f := object{"kind": fmt.Sprintf("%T", err), "message": err.Error(), "code": nil}
	if code, known := codeOfFranz(err); known {
		f["code"] = code
	} else if code, known := codeOfSarama(err); known {
		f["code"] = code
	}
	return f
}

func (c command) timeout() time.Duration {
	if c.WaitMs == 0 {
		return 30 * time.Second
	}
	return time.Duration(c.WaitMs) * time.Millisecond
}

func (c command) count() int {
	return max(c.Count, 1)
}

func (c command) partitions() int32 {
	var n int32 = 1
	_ = json.Unmarshal(c.Partitions, &n)
	return n
}

func (c command) session() time.Duration {
	return millis(c.SessionMs, 10_000)
}

func (c command) heartbeat() time.Duration {
	return millis(c.HeartbeatMs, 300)
}

func millis(value, otherwise int) time.Duration {
	if value == 0 {
		value = otherwise
	}
	return time.Duration(value) * time.Millisecond
}

func bytesOf(value *[]byte) []byte {
	if value == nil {
		return nil
	}
	if *value == nil {
		return []byte{}
	}
	return *value
}

func orNull(value []byte) *[]byte {
	if value == nil {
		return nil
	}
	return &value
}

// inbox is what a member was given and nobody has taken yet.
type inbox struct {
	records chan object
}

func newInbox() *inbox {
	return &inbox{records: make(chan object, 1<<20)}
}

func (in *inbox) take(count int, wait time.Duration) []object {
	records := []object{}
	over := time.After(wait)
	for len(records) < count {
		select {
		case one := <-in.records:
			records = append(records, one)
		case <-over:
			return records
		}
	}
	return records
}

// named keeps what verbs open, by the name they answer with.
type named[T any] struct {
	lock sync.Mutex
	all  map[string]T
}

func (n *named[T]) add(one T) string {
	n.lock.Lock()
	defer n.lock.Unlock()
	if n.all == nil {
		n.all = map[string]T{}
	}
	id := fmt.Sprintf("g%d", len(n.all)+1)
	n.all[id] = one
	return id
}

func (n *named[T]) get(id string) T {
	n.lock.Lock()
	defer n.lock.Unlock()
	return n.all[id]
}
