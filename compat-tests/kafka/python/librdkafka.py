"""The verbs on librdkafka, through confluent-kafka."""

import sys
import threading
import time

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, ConsumerGroupState, KafkaError, KafkaException
from confluent_kafka import Consumer, Producer, TopicPartition, ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, ResourceType
from serve import Member, b64, close, serve, take, told, unb64

BASE = {"bootstrap.servers": sys.argv[1], "broker.address.family": "v4", "reconnect.backoff.max.ms": 500}
admin = AdminClient({**BASE, "client.id": "compat-librdkafka"})
producers = {}
lock = threading.Lock()


def code_of(failure):
    error = failure.args[0] if isinstance(failure, KafkaException) and failure.args else failure
    return error.code() if isinstance(error, KafkaError) else None


def producer(command):
    wanted = command.get("producer", {})
    config = {
        "acks": wanted.get("acks", "all"),
        "enable.idempotence": wanted.get("idempotent", False),
        "compression.type": wanted.get("compression", "none"),
        "linger.ms": wanted.get("lingerMs", 0),
        "message.timeout.ms": 80_000,
        **({"message.max.bytes": wanted["requestBytesMax"]} if "requestBytesMax" in wanted else {}),
    }
    name = str(sorted(config.items()))
    with lock:
        if name not in producers:
            producers[name] = Producer({**BASE, **config})
        return producers[name]


def produce(command):
    opened = producer(command)
    results = [None] * len(command["messages"])

    def done(i, error, message):
        if error is not None:
            results[i] = {"error": told(KafkaException(error), code_of)}
        else:
            results[i] = {"partition": message.partition(), "offset": -1 if message.offset() is None else message.offset()}

    for i, one in enumerate(command["messages"]):
        place = {"partition": one["partition"]} if "partition" in one else {}
        when = {"timestamp": one["timestamp"]} if "timestamp" in one else {}
        headers = [(name, unb64(value)) for name, value in one.get("headers", [])]
        try:
            opened.produce(
                command["topic"], value=unb64(one["value"]), key=unb64(one.get("key")), headers=headers or None,
                on_delivery=lambda error, message, i=i: done(i, error, message), **place, **when)
        except KafkaException as failure:
            results[i] = {"error": told(failure, code_of)}
    while any(one is None for one in results):
        opened.poll(0.1)
    return {"results": results}


def shown(message):
    return {
        "topic": message.topic(), "partition": message.partition(), "offset": message.offset(), "timestamp": message.timestamp()[1],
        "key": b64(message.key()), "value": b64(message.value()), "headers": [[name, b64(value)] for name, value in message.headers() or []],
        "epoch": message.leader_epoch()}


def consumer(config):
    return Consumer({**BASE, "fetch.wait.max.ms": 100, "topic.metadata.refresh.interval.ms": 1_000, "check.crcs": True, "enable.auto.commit": False, **config})


def read(command):
    opened = consumer({"group.id": "readers", "auto.offset.reset": "error", "enable.partition.eof": False})
    first = command.get("from", "begin")
    at = {"begin": OFFSET_BEGINNING, "end": OFFSET_END}.get(first, first)
    opened.assign([TopicPartition(command["topic"], command.get("partition", 0), at)])
    records = []
    deadline = time.monotonic() + command.get("waitMs", 30_000) / 1000
    while len(records) < command["count"] and time.monotonic() < deadline:
        message = opened.poll(max(0, min(0.5, deadline - time.monotonic())))
        if message is None:
            continue
        if message.error():
            opened.close()
            raise KafkaException(message.error())
        records.append(shown(message))
    opened.close()
    return {"records": records}


ASSIGNORS = {"range": "range", "roundrobin": "roundrobin", "cooperative": "cooperative-sticky"}


def subscribe(command):
    opened = consumer({
        "group.id": command["group"], "auto.offset.reset": command.get("from", "earliest"), "enable.auto.commit": command.get("autoCommit", False),
        "auto.commit.interval.ms": 200, "session.timeout.ms": command.get("sessionMs", 10_000), "heartbeat.interval.ms": command.get("heartbeatMs", 300),
        "partition.assignment.strategy": ASSIGNORS[command.get("assignor", "range")],
        **({"group.instance.id": command["instance"]} if "instance" in command else {})})
    opened.subscribe(command["topics"])

    def poll(one):
        message = one.poll(0.1)
        if message is not None and message.error():
            print(message.error(), file=sys.stderr)
        return [] if message is None or message.error() else [shown(message)]

    return {"consumer": Member(opened, poll, lambda one: one.close()).id}


def commit(command):
    offsets = [TopicPartition(one["topic"], one["partition"], one["offset"], one.get("metadata")) for one in command["offsets"]]
    stored = Member.of(command).run(lambda one: one.commit(offsets=offsets, asynchronous=False))
    for one in stored:
        if one.error:
            raise KafkaException(one.error)
    return {}


def name(partition):
    return f"{partition.topic}/{partition.partition}"


def each(futures):
    return {key: future.result(30) for key, future in futures.items()}


def offsets(command):
    opened = consumer({"group.id": "readers"})
    begin, end = opened.get_watermark_offsets(TopicPartition(command["topic"], command.get("partition", 0)), timeout=20)
    opened.close()
    return {"begin": begin, "end": end}


def resource(command, entries=None):
    kind = ResourceType.BROKER if command.get("type") == "broker" else ResourceType.TOPIC
    return ConfigResource(kind, command["name"], **({"incremental_configs": entries} if entries else {}))


def configs(command):
    (found,) = each(admin.describe_configs([resource(command)])).values()
    return {"configs": {key: {"value": one.value, "source": str(one.source)} for key, one in found.items()}}


def set_configs(command):
    entries = [ConfigEntry(op["name"], op.get("value"), incremental_operation=AlterConfigOpType[op.get("op", "set").upper()]) for op in command["ops"]]
    each(admin.incremental_alter_configs([resource(command, entries)]))
    return {}


def create_topic(command):
    topic = NewTopic(command["topic"], command.get("partitions", 1), command.get("replicas", 1), config=command.get("configs", {}))
    each(admin.create_topics([topic]))
    # librdkafka answers from its own view of the cluster for a while.
    deadline = time.monotonic() + 10
    while command["topic"] not in admin.list_topics(timeout=10).topics and time.monotonic() < deadline:
        time.sleep(0.05)
    return {}


def nothing(result):
    return {}


def delete_records(command):
    (low,) = each(admin.delete_records([TopicPartition(command["topic"], command.get("partition", 0), command["before"])])).values()
    return {"low": low.low_watermark}


def groups(command):
    states = {"states": {ConsumerGroupState[one.upper()] for one in command["states"]}} if "states" in command else {}
    listed = admin.list_consumer_groups(**states).result(30)
    return {"groups": [{"group": one.group_id, "state": one.state.name} for one in listed.valid]}


def describe_group(command):
    (found,) = each(admin.describe_consumer_groups([command["group"]])).values()
    members = [{"id": one.member_id, "instance": one.group_instance_id, "client": one.client_id, "host": one.host,
                "partitions": sorted(name(part) for part in one.assignment.topic_partitions)} for one in found.members]
    return {"state": found.state.name, "assignor": found.partition_assignor, "members": members}


def committed(command):
    (found,) = each(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(command["group"])])).values()
    return {"offsets": {name(one): {"offset": one.offset, "metadata": one.metadata or ""} for one in found.topic_partitions}}


def cluster(command):
    found = admin.describe_cluster().result(30)
    return {"clusterId": found.cluster_id, "controller": found.controller.id, "nodes": [f"{one.id} {one.host}:{one.port}" for one in found.nodes]}


serve({
    "produce": produce, "read": read, "subscribe": subscribe, "take": take, "close": close, "commit": commit, "offsets": offsets,
    "assigned": lambda command: {"partitions": sorted(name(one) for one in Member.of(command).run(lambda consumer: consumer.assignment()))},
    "createTopic": create_topic, "deleteTopic": lambda command: nothing(each(admin.delete_topics([command["topic"]]))),
    "topics": lambda command: {"topics": sorted(admin.list_topics(timeout=20).topics)},
    "createPartitions": lambda command: nothing(each(admin.create_partitions([NewPartitions(command["topic"], command["count"])]))),
    "configs": configs, "setConfigs": set_configs, "deleteRecords": delete_records, "groups": groups, "describeGroup": describe_group,
    "deleteGroup": lambda command: nothing(each(admin.delete_consumer_groups([command["group"]]))),
    "committed": committed, "cluster": cluster,
}, code_of)
