"""The verbs on pika's blocking connection: one connection, one thread, commands in turn.

A channel that the broker closes is replaced by the next verb; a lost connection likewise.
The verbs and the shapes of messages are described in driver.ts.
"""
import base64
import json
import sys
import time

import pika
from pika.exceptions import AMQPError, NackError, UnroutableError

OPTIONS = dict(arg[2:].split("=", 1) for arg in sys.argv[1:])
CONSUMERS = {}
CANCELLED = set()
STATE = {"connection": None, "ids": 0}


def connection():
    current = STATE["connection"]
    if current is None or not current.is_open:
        STATE["connection"] = current = pika.BlockingConnection(pika.URLParameters(OPTIONS["amqp"]))
    return current


def encode(value):
    return None if value is None else base64.b64encode(value).decode()


def decode(text):
    return None if text is None else base64.b64decode(text)


def declare(fields):
    channel = connection().channel()
    for one in fields.get("exchanges", []):
        channel.exchange_declare(one["name"], one.get("type", "topic"), durable=True, arguments=one.get("args"))
    names = []
    for one in fields.get("queues", []):
        ok = channel.queue_declare(one["name"], durable=one.get("durable", True), exclusive=one.get("exclusive", False), arguments=one.get("args"))
        names.append(ok.method.queue)
    for one in fields.get("bindings", []):
        if "destination" in one:
            channel.exchange_bind(one["destination"], one["exchange"], one["key"], arguments=one.get("args"))
        else:
            channel.queue_bind(one["queue"], one["exchange"], one["key"], arguments=one.get("args"))
    channel.close()
    return {"queues": names}


def headers_of(message):
    headers = dict(message.get("headers", {}))
    headers.update({name: decode(value) for name, value in message.get("binaryHeaders", {}).items()})
    if message.get("tag") is not None:
        headers["TAGS"] = message["tag"]
    if "cc" in message.get("properties", {}):
        headers["CC"] = message["properties"]["cc"]
    if "delay" in message.get("properties", {}):
        headers["x-delay"] = message["properties"]["delay"]
    return headers or None


def properties_of(message):
    given = message.get("properties", {})
    names = {"priority": "priority", "expiration": "expiration", "replyTo": "reply_to", "correlationId": "correlation_id"}
    return pika.BasicProperties(delivery_mode=2, headers=headers_of(message), **{names[name]: value for name, value in given.items() if name in names})


def routing_key_of(message):
    key = decode(message.get("key"))
    return message.get("routingKey", key.decode() if key else "")


def publish(fields):
    channel = connection().channel()
    channel.confirm_delivery()
    results = []
    for message in fields["messages"]:
        routing_key = routing_key_of(message)
        properties = properties_of(message)
        try:
            channel.basic_publish(fields.get("exchange", ""), routing_key, decode(message["body"]) or b"", properties, fields.get("mandatory", False))
            results.append({"confirmed": True})
        except UnroutableError as error:
            returned = error.messages[0].method
            results.append({"confirmed": True, "returned": {"code": returned.reply_code, "text": returned.reply_text}})
        except (NackError, AMQPError) as error:
            results.append({"confirmed": False, "error": failure(error)})
    if channel.is_open:
        channel.close()
    return {"results": results}


def received(method, properties, body):
    headers = {}
    tag = None
    for name, value in (properties.headers or {}).items():
        if name == "TAGS":
            tag = value if isinstance(value, str) else value.decode()
        elif value is None:
            headers[name] = None
        else:
            headers[name] = encode(value if isinstance(value, bytes) else str(value).encode())
    return {
        "exchange": method.exchange,
        "routingKey": method.routing_key,
        "redelivered": method.redelivered,
        "handle": str(method.delivery_tag),
        "key": encode(method.routing_key.encode()) if method.routing_key else None,
        "tag": tag,
        "headers": headers,
        "body": encode(body),
        "system": {name: value for name, value in (("replyTo", properties.reply_to), ("correlationId", properties.correlation_id)) if value is not None},
    }


def get(fields):
    channel = connection().channel()
    method, properties, body = channel.basic_get(fields["queue"], auto_ack=fields.get("noAck", True))
    reply = {"message": None, "remaining": 0}
    if method is not None:
        reply = {"message": received(method, properties, body), "remaining": method.message_count}
    channel.close()
    return reply


def subscribe(fields):
    channel = connection().channel()
    channel.basic_qos(prefetch_count=fields.get("prefetch", 100))
    ready = []
    tag = channel.basic_consume(fields["queue"], lambda _, method, properties, body: ready.append(received(method, properties, body)), auto_ack=fields.get("noAck", False), exclusive=fields.get("exclusive", False), arguments=fields.get("args"))
    STATE["ids"] += 1
    name = "p%d" % STATE["ids"]
    channel.add_on_cancel_callback(lambda _: CANCELLED.add(name))
    CONSUMERS[name] = (channel, tag, ready)
    return {"consumer": name}


def take(fields):
    _, _, ready = CONSUMERS[fields["consumer"]]
    count = fields.get("count", 1)
    deadline = time.monotonic() + fields.get("waitMs", 10000) / 1000
    while len(ready) < count and time.monotonic() < deadline:
        connection().process_data_events(time_limit=0.05)
    taken, ready[:] = ready[:count], ready[count:]
    return {"messages": taken}


def settle(fields):
    channel = CONSUMERS[fields["consumer"]][0]
    how = fields.get("how", "ack")
    for handle in fields["handles"]:
        if how == "ack":
            channel.basic_ack(int(handle), multiple=fields.get("multiple", False))
        elif how == "retry":
            channel.basic_nack(int(handle), multiple=fields.get("multiple", False), requeue=True)
        else:
            channel.basic_reject(int(handle), requeue=False)
    connection().process_data_events(time_limit=0)
    return {}


def close(fields):
    channel, tag, _ = CONSUMERS.pop(fields["consumer"])
    if channel.is_open:
        channel.basic_cancel(tag)
        channel.close()
    return {}


def queue_state(fields):
    channel = connection().channel()
    ok = channel.queue_declare(fields["queue"], passive=True).method
    channel.close()
    return {"ready": ok.message_count, "consumers": ok.consumer_count}


def rpc(fields):
    """Asks through amq.rabbitmq.reply-to and waits for the answer, as RPC clients do."""
    channel = connection().channel()
    answers = []
    channel.basic_consume("amq.rabbitmq.reply-to", lambda _, method, properties, body: answers.append(received(method, properties, body)), auto_ack=True)
    channel.basic_publish("", fields["queue"], decode(fields["body"]), pika.BasicProperties(reply_to="amq.rabbitmq.reply-to", correlation_id="question"))
    deadline = time.monotonic() + fields.get("waitMs", 10000) / 1000
    while not answers and time.monotonic() < deadline:
        connection().process_data_events(time_limit=0.05)
    channel.close()
    return {"message": answers[0] if answers else None}


def tx(fields):
    channel = connection().channel()
    channel.tx_select()
    for message in fields["messages"]:
        channel.basic_publish("", fields["queue"], decode(message["body"]), properties_of(message))
    if fields["commit"]:
        channel.tx_commit()
    else:
        channel.tx_rollback()
    channel.close()
    return {}


def delete(fields):
    channel = connection().channel()
    channel.queue_delete(fields["queue"])
    channel.close()
    return {}


def cancelled(fields):
    connection().process_data_events(time_limit=0.1)
    return {"cancelled": fields["consumer"] in CANCELLED}


def failure(error):
    shown = {"kind": type(error).__name__, "message": "%s: %s" % (type(error).__name__, error)}
    code = getattr(error, "reply_code", None)
    return dict(shown, code=code) if code is not None else shown


VERBS = {
    "amqp.declare": declare,
    "amqp.publish": publish,
    "amqp.get": get,
    "amqp.subscribe": subscribe,
    "amqp.take": take,
    "amqp.settle": settle,
    "amqp.close": close,
    "amqp.queueState": queue_state,
    "amqp.delete": delete,
    "amqp.rpc": rpc,
    "amqp.tx": tx,
    "amqp.cancelled": cancelled,
}

for line in sys.stdin:
    command = json.loads(line)
    reply = {"id": command["id"]}
    try:
        reply["ok"] = VERBS[command["op"]](command)
    except Exception as error:  # every failure is the caller's to judge
        reply["error"] = failure(error)
    print(json.dumps(reply), flush=True)
