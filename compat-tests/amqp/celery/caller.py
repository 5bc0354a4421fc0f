"""Calls tasks and asks for their results: JSON lines with commands on stdin, JSON lines with replies on stdout.

    send {task, args, countdown?, expires?, priority?, retry?}   -> {id}
    result {id, waitMs}                                          -> {state, value}
    chain {a, waitMs}, group {count, waitMs}                     -> {value}
    ping {waitMs}, active {waitMs}, revoke {id}                  -> {replies}
"""
import json
import sys

from celery import chain, group
from celery.exceptions import TimeoutError as ResultLate
from tasks import app, add

RESULTS = {}


def send(fields):
    options = {name: fields[name] for name in ("countdown", "expires", "priority") if name in fields}
    result = app.tasks["tasks." + fields["task"]].apply_async(args=fields["args"], **options)
    RESULTS[result.id] = result
    return {"id": result.id}


def result(fields):
    one = RESULTS[fields["id"]]
    try:
        value = one.get(timeout=fields.get("waitMs", 15000) / 1000, propagate=False)
    except ResultLate:
        return {"state": one.state, "value": None}
    return {"state": one.state, "value": str(value) if isinstance(value, Exception) else value}


def run_chain(fields):
    return {"value": chain(add.s(fields["a"], 1), add.s(10), add.s(100))().get(timeout=fields.get("waitMs", 15000) / 1000)}


def run_group(fields):
    return {"value": group(add.s(i, i) for i in range(fields["count"]))().get(timeout=fields.get("waitMs", 30000) / 1000)}


def ping(fields):
    replies = app.control.inspect(timeout=fields.get("waitMs", 3000) / 1000).ping() or {}
    return {"replies": replies}


def active(fields):
    replies = app.control.inspect(timeout=fields.get("waitMs", 3000) / 1000).active() or {}
    return {"replies": {name: len(tasks) for name, tasks in replies.items()}}


def revoke(fields):
    app.control.revoke(fields["id"])
    return {"replies": {}}


VERBS = {"send": send, "result": result, "chain": run_chain, "group": run_group, "ping": ping, "active": active, "revoke": revoke}

for line in sys.stdin:
    command = json.loads(line)
    reply = {"id": command["id"]}
    try:
        fields = dict(command)
        if "task_id" in fields:
            fields["id"] = fields["task_id"]
        reply["ok"] = VERBS[command["op"]](fields)
    except Exception as error:  # every failure is the caller's to judge
        reply["error"] = {"kind": type(error).__name__, "message": "%s: %s" % (type(error).__name__, error), "code": None}
    print(json.dumps(reply), flush=True)
