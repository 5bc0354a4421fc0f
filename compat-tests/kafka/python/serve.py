"""The Python side of a driver: reads commands, runs the verb in a thread of its own, writes the reply. Ends when stdin ends.

What the two libraries share is here too: bytes as base64, the inbox of a member and the thread that polls for it."""

import base64
import json
import os
import queue
import sys
import threading
import time
import traceback

_replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
_lock = threading.Lock()


def b64(value):
    return None if value is None else base64.b64encode(value).decode()


def unb64(text):
    return None if text is None else base64.b64decode(text)


def _answer(verbs, command, code_of):
    reply = {"id": command["id"]}
    try:
        verb = verbs.get(command["op"])
        if verb is None:
            raise NotImplementedError("unknown verb " + command["op"])
        reply["ok"] = verb(command)
    except BaseException as failure:  # a driver answers whatever happens
        traceback.print_exc()
        reply["error"] = told(failure, code_of)
    with _lock:
        _replies.write(json.dumps(reply) + "\n")
        _replies.flush()


def told(failure, code_of):
    return {"kind": type(failure).__name__, "message": f"{type(failure).__name__}: {failure}"[:600], "code": code_of(failure)}


def serve(verbs, code_of):
    for line in sys.stdin:
        command = json.loads(line)
        threading.Thread(target=_answer, args=(verbs, command, code_of), daemon=True).start()
    os._exit(0)


class Member:
    """A consumer that one thread polls; others hand it work. `poll(consumer)` returns records as JSON."""

    _members = {}

    def __init__(self, consumer, poll, close):
        self.consumer = consumer
        self._poll = poll
        self._close = close
        self._inbox = queue.Queue()
        self._jobs = queue.Queue()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.id = f"y{len(Member._members) + 1}"
        Member._members[self.id] = self
        self._thread.start()

    @staticmethod
    def of(command):
        return Member._members[command["consumer"]]

    def _run(self):
        while not self._is_over:
            try:
                for record in self._poll(self.consumer):
                    self._inbox.put(record)
            except Exception:
                traceback.print_exc()
                time.sleep(0.1)
            while not self._jobs.empty():
                work, done = self._jobs.get()
                try:
                    done.put((work(self.consumer), None))
                except Exception as failure:
                    done.put((None, failure))
        self._close(self.consumer)

    def run(self, work):
        """Runs work on the polling thread."""
        done = queue.Queue()
        self._jobs.put((work, done))
        result, failure = done.get(timeout=60)
        if failure is not None:
            raise failure
        return result

    def take(self, count, wait_ms):
        records = []
        deadline = time.monotonic() + wait_ms / 1000
        while len(records) < count:
            try:
                records.append(self._inbox.get(timeout=max(0, deadline - time.monotonic())))
            except queue.Empty:
                break
        return records

    def close(self):
        self._is_over = True
        self._thread.join(30)


def take(command):
    return {"records": Member.of(command).take(command.get("count", 1), command.get("waitMs", 30_000))}


def close(command):
    Member.of(command).close()
    return {}
