#!/usr/bin/env python3
"""Submits programs to gavel over RabbitMQ, shows their progress and reads their verdicts.

    submit_and_read.py PROBLEM LANGUAGE SOURCE...

$GAVEL_SUBMIT and $GAVEL_READ are the broker's addresses for a user that may submit and for one that may read, as
deploy/rabbitmq/definitions.json makes them: amqp://gavel-submitter:PASSWORD@HOST/gavel, amqp://gavel-reader:…
Needs pika 1.2 or later (Debian: python3-pika). A backend takes submit() into what accepts programs and read() into
a process of its own; both outlive the broker's restarts.
"""

import json
import os
import sqlite3
import sys
import time
import uuid

import pika
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosedByBroker,
    ConsumerCancelled,
    NackError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    UnroutableError,
)

# What no second attempt mends: a wrong password, a virtual host that is not there or not ours.
HOPELESS = (ProbableAuthenticationError, ProbableAccessDeniedError)


def submit(address, submissions):
    """Returns once the broker has every submission on disk."""
    # Not transient: the broker may restart.
    properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
    waiting = list(submissions)
    while waiting:
        try:
            with pika.BlockingConnection(pika.URLParameters(address)) as connection:
                channel = connection.channel()
                # From here on basic_publish returns when the broker has the message, and raises when it has not.
                channel.confirm_delivery()
                while waiting:
                    key = "judge." + waiting[0].get("priority", "normal")
                    body = json.dumps(waiting[0])
                    channel.basic_publish("gavel.submit", key, body, properties, mandatory=True)
                    waiting.pop(0)
        except UnroutableError:
            sys.exit(f"no queue takes {key}: import deploy/rabbitmq/definitions.json or start a worker")
        except (ChannelClosedByBroker, *HOPELESS) as error:
            sys.exit(f"the broker refuses: {error!r}")
        except (AMQPConnectionError, NackError) as error:
            # What was not confirmed may be there all the same. Sent again it has the same (id, judging), by which
            # workers and readers know it.
            print(f"submitting again: {error!r}", file=sys.stderr)
            time.sleep(1)


def read(address, database, is_over):
    """Stores every verdict that comes, each once, until is_over() says so."""
    database.execute("CREATE TABLE IF NOT EXISTS verdicts (id, judging, verdict, report, PRIMARY KEY (id, judging))")

    def on_verdict(channel, method, _properties, body):
        report = json.loads(body)
        row = (report["id"], report["judging"], report["verdict"], body)
        # Verdicts may come twice: after a broken connection nobody can know whether the first arrived. The key
        # makes the second a matter of no consequence.
        is_new = database.execute("INSERT OR IGNORE INTO verdicts VALUES (?, ?, ?, ?)", row).rowcount == 1
        database.commit()
        # Only now, when it is stored for good, may the broker forget it.
        channel.basic_ack(method.delivery_tag)
        if is_new:
            print(f"{report['id']}: {report['verdict']}, at most {report['max_cpu_ms']} ms", flush=True)

    def on_progress(_channel, _method, _properties, body):
        event = json.loads(body)
        if event["type"] == "test":
            print(f"{event['id']}: test {event['test']['name']} {event['test']['verdict']}", flush=True)

    def on_cancel(_method):
        raise ConsumerCancelled()

    while not is_over():
        try:
            with pika.BlockingConnection(pika.URLParameters(address)) as connection:
                channel = connection.channel()
                channel.basic_qos(prefetch_count=100)
                # A queue that was deleted would otherwise only fall silent.
                channel.add_on_cancel_callback(on_cancel)
                # Progress goes to a queue that lives as long as this connection: what it misses is no loss.
                own = channel.queue_declare("", exclusive=True).method.queue
                channel.queue_bind(own, "gavel.progress", "progress.test")
                channel.basic_consume(own, on_progress, auto_ack=True)
                channel.basic_consume("gavel.results", on_verdict)
                while not is_over():
                    connection.process_data_events(time_limit=1)
        except HOPELESS as error:
            sys.exit(f"the broker refuses: {error!r}")
        except (AMQPConnectionError, ChannelClosedByBroker, ConsumerCancelled) as error:
            print(f"reading again: {error!r}", file=sys.stderr)
            time.sleep(1)


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    problem, language, *sources = sys.argv[1:]
    submissions = []
    for source in sources:
        with open(source, encoding="utf-8") as file:
            text = file.read()
        # A backend takes the id of its own row; the same id with another "judging" is a rejudging.
        submissions.append({
            "schema": 1,
            "id": f"{os.path.basename(source)}-{uuid.uuid4().hex[:8]}",
            "language": language,
            "files": [{"name": os.path.basename(source), "text": text}],
            "problem": {"ref": problem},
            "priority": "contest",
        })
    submit(os.environ["GAVEL_SUBMIT"], submissions)

    database = sqlite3.connect(os.environ.get("VERDICTS", ":memory:"))
    wanted = [submission["id"] for submission in submissions]
    question = f"SELECT count(*) FROM verdicts WHERE id IN ({','.join('?' * len(wanted))})"

    def is_over():
        return database.execute(question, wanted).fetchone()[0] == len(wanted)

    read(os.environ["GAVEL_READ"], database, is_over)


if __name__ == "__main__":
    main()
