"""Readings of all beds to Kafka, keyed by gateway: python kafka.py mqtt://127.0.0.1:1884 localhost:9092.

Needs wardlink and confluent-kafka. Not run by our tests: no Kafka broker is packaged for Debian; the half before
`producer` is the same as in frame.py, which is. An update is acknowledged when the next one is asked for, so `flush`
before that makes it at least once, in the order of each gateway.
"""

import json
import sys

from confluent_kafka import Producer

from centre import Subscriber

if __name__ == "__main__":
    producer = Producer({"bootstrap.servers": sys.argv[2], "enable.idempotence": True})
    with Subscriber(sys.argv[1], name="kafka-example") as subscriber:
        for update in subscriber:
            for row in update.rows():
                producer.produce("ward.readings", key=update.gateway, value=json.dumps(row, default=str))
            if producer.flush(30):
                sys.exit("error: Kafka does not take it\nhint: start again; what was not acknowledged comes again")
