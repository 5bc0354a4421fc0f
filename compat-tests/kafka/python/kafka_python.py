"""The verbs on kafka-python."""

import sys
import threading
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.errors import BrokerResponseError, KafkaError
from kafka.structs import OffsetAndMetadata
from serve import Member, b64, close, serve, take, told, unb64

BASE = {"bootstrap_servers": sys.argv[1], "client_id": "compat-kafka-python", "reconnect_backoff_max_ms": 500}
admin = KafkaAdminClient(**BASE)
administering = threading.Lock()
producers = {}


def code_of(failure):
    return failure.errno if isinstance(failure, BrokerResponseError) else None


def producer(command):
    wanted = command.get("producer", {})
    compression = wanted.get("compression", "none")
    config = {
        "acks": {"0": 0, "1": 1, "all": "all"}[wanted.get("acks", "all")],
        "enable_idempotence": wanted.get("idempotent", False),
        "compression_type": None if compression == "none" else compression,
        "linger_ms": wanted.get("lingerMs", 0),
        **({"max_request_size": wanted["requestBytesMax"]} if "requestBytesMax" in wanted else {}),
    }
    name = str(sorted(config.items(), key=str))
    if name not in producers:
        producers[name] = KafkaProducer(**BASE, **config)
    return producers[name]


def produce(command):
    opened = producer(command)

    def attempt(one):
        headers = [(name, unb64(value)) for name, value in one.get("headers", [])]
        try:
            return opened.send(command["topic"], value=unb64(one["value"]), key=unb64(one.get("key")), headers=headers,
                               partition=one.get("partition"), timestamp_ms=one.get("timestamp"))
        except KafkaError as failure:
            return failure

    def result(sent):
        try:
            if isinstance(sent, KafkaError):
                raise sent
            stored = sent.get(timeout=30)
            return {"partition": stored.partition, "offset": -1 if stored.offset is None else stored.offset}
        except KafkaError as failure:
            return {"error": told(failure, code_of)}

    sent = [attempt(one) for one in command["messages"]]
    opened.flush(30)
    return {"results": [result(one) for one in sent]}


def shown(record):
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset, "timestamp": record.timestamp,
            "key": b64(record.key), "value": b64(record.value), "headers": [[name, b64(value)] for name, value in record.headers]}


def consumer(**config):
    return KafkaConsumer(**BASE, enable_auto_commit=config.pop("enable_auto_commit", False), fetch_max_wait_ms=100, metadata_max_age_ms=1_000, **config)


def polled(opened, wait_ms):
    return [shown(one) for records in opened.poll(timeout_ms=wait_ms).values() for one in records]


def read(command):
    opened = consumer(group_id=None, auto_offset_reset="none")
    partition = TopicPartition(command["topic"], command.get("partition", 0))
    opened.assign([partition])
    first = command.get("from", "begin")
    if first == "begin":
        opened.seek_to_beginning(partition)
    elif first == "end":
        opened.seek_to_end(partition)
    else:
        opened.seek(partition, first)
    records = []
    deadline = time.monotonic() + command.get("waitMs", 30_000) / 1000
    while len(records) < command["count"] and time.monotonic() < deadline:
        records += polled(opened, 200)
    opened.close()
    return {"records": records[:command["count"]]}


ASSIGNORS = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor}


def subscribe(command):
    instance = {"group_instance_id": command["instance"]} if "instance" in command else {}
    opened = consumer(
        group_id=command["group"], auto_offset_reset=command.get("from", "earliest"), enable_auto_commit=command.get("autoCommit", False),
        auto_commit_interval_ms=200, session_timeout_ms=command.get("sessionMs", 10_000), heartbeat_interval_ms=command.get("heartbeatMs", 300),
        partition_assignment_strategy=[ASSIGNORS[command.get("assignor", "range")]], **instance)
    opened.subscribe(command["topics"])
    # A join that does not fit into one poll is now and then forgotten by the library, with any broker: give it time.
    return {"consumer": Member(opened, lambda one: polled(one, 100 if one.assignment() else 3_000), lambda one: one.close()).id}


def commit(command):
    offsets = {TopicPartition(one["topic"], one["partition"]): OffsetAndMetadata(one["offset"], one.get("metadata", ""), -1) for one in command["offsets"]}
    Member.of(command).run(lambda one: one.commit(offsets))
    return {}


def name(partition):
    return f"{partition.topic}/{partition.partition}"


def offsets(command):
    opened = consumer(group_id=None)
    partition = TopicPartition(command["topic"], command.get("partition", 0))
    begin, end = opened.beginning_offsets([partition])[partition], opened.end_offsets([partition])[partition]
    opened.close()
    return {"begin": begin, "end": end}


def create_topic(command):
    admin.create_topics({command["topic"]: {
        "num_partitions": command.get("partitions", 1), "replication_factor": command.get("replicas", 1), "configs": command.get("configs", {})}})
    return {}


def resource(command, configs=None):
    return ConfigResource(ConfigResourceType.BROKER if command.get("type") == "broker" else ConfigResourceType.TOPIC, command["name"], configs)


def configs(command):
    (kind,) = admin.describe_configs([resource(command)], include_synonyms=True, config_filter="all").values()
    (found,) = kind.values()
    return {"configs": {key: {"value": one["value"], "source": str(one.get("config_source"))} for key, one in found.items()}}


def set_configs(command):
    admin.alter_configs([resource(command, {op["name"]: (op.get("op", "set").upper(), op.get("value")) for op in command["ops"]})])
    return {}


def delete_records(command):
    (low,) = admin.delete_records({TopicPartition(command["topic"], command.get("partition", 0)): command["before"]}).values()
    return {"low": low["low_watermark"]}


def delete_group(command):
    for told in dict(admin.delete_groups([command["group"]])).values():
        if told not in ("NoError", "OK"):
            raise KafkaError(told)
    return {}


def describe_group(command):
    (found,) = admin.describe_groups([command["group"]]).values()
    members = [{"id": one["member_id"], "instance": one.get("group_instance_id"), "client": one["client_id"], "host": one["client_host"]} for one in found["members"]]
    return {"state": found["group_state"], "members": members}


def nothing(result):
    return {}


def committed(command):
    (found,) = admin.list_group_offsets({command["group"]: None}).values()
    return {"offsets": {name(key): {"offset": one.offset, "metadata": one.metadata or ""} for key, one in found.items()}}


def cluster(command):
    found = admin.describe_cluster()
    return {"clusterId": found["cluster_id"], "controller": found["controller_id"], "nodes": [f"{one['broker_id']} {one['host']}:{one['port']}" for one in found["brokers"]]}


def alone(verb):
    """The administration client does one thing at a time."""

    def run(command):
        with administering:
            return verb(command)

    return run


administration = {
    "createTopic": create_topic, "deleteTopic": lambda command: nothing(admin.delete_topics([command["topic"]])),
    "topics": lambda command: {"topics": sorted(admin.list_topics())},
    "createPartitions": lambda command: nothing(admin.create_partitions({command["topic"]: command["count"]})),
    "configs": configs, "setConfigs": set_configs, "deleteRecords": delete_records,
    "groups": lambda command: {"groups": [{"group": one["group_id"], "state": one.get("group_state", "")} for one in admin.list_groups()]},
    "describeGroup": describe_group, "deleteGroup": delete_group, "committed": committed, "cluster": cluster,
}
serve({
    "produce": produce, "read": read, "subscribe": subscribe, "take": take, "close": close, "commit": commit, "offsets": offsets,
    "assigned": lambda command: {"partitions": sorted(name(one) for one in Member.of(command).run(lambda consumer: consumer.assignment()))},
    **{key: alone(verb) for key, verb in administration.items()},
}, code_of)
