"""The application that the workers of the suite run: tasks that say in a file what they did."""
import os
import time

from celery import Celery

BROKER = os.environ["BROKER_URL"]

app = Celery("compat", broker=BROKER, backend="rpc://")
app.conf.update(
    task_default_queue=os.environ.get("TASK_QUEUE", "celery"),
    task_default_queue_type=os.environ.get("TASK_QUEUE_TYPE", "classic"),
    worker_prefetch_multiplier=int(os.environ.get("PREFETCH", "4")),
    # With quorum queues Celery delays by queues of the broker, which are bound by patterns.
    task_default_exchange=os.environ.get("TASK_QUEUE", "celery"),
    task_default_exchange_type="topic" if os.environ.get("TASK_QUEUE_TYPE") == "quorum" else "direct",
    worker_detect_quorum_queues=True,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    result_expires=60,
    task_track_started=True,
)


def note(file, text):
    """Adds a line with the time and the worker's name."""
    with open(file, "a") as out:
        out.write("%.3f %s %s\n" % (time.time(), os.environ.get("WORKER", "?"), text))


@app.task
def add(a, b):
    return a + b


@app.task
def fail(text):
    raise ValueError(text)


@app.task(bind=True, max_retries=5)
def flaky(self, file, failures, countdown):
    note(file, "attempt %d" % self.request.retries)
    if self.request.retries < failures:
        raise self.retry(countdown=countdown)
    return self.request.retries


@app.task
def mark(file, text):
    note(file, text)
    return text


@app.task(acks_late=True, reject_on_worker_lost=True)
def slow(file, text, seconds):
    note(file, "begin " + text)
    time.sleep(seconds)
    note(file, "end " + text)
    return text
