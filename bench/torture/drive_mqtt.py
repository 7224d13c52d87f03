"""Publishes to a local broker at QoS 1: `drive_mqtt.py PORT`. Numbers come on stdin; `+N`: it was acknowledged."""

import json
import signal
import sys

import paho.mqtt.client as mqtt

PAD = "x" * 150  # as record.py has it
TOPIC = "te/measurement"


def main() -> None:
    waiting: dict[int, int] = {}
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "producer", protocol=mqtt.MQTTv311)
    client.max_inflight_messages_set(20)

    def published(_client, _data, identifier, code, _properties) -> None:
        print(f"{'-' if code.is_failure else '+'}{waiting.pop(identifier)}", flush=True)

    client.on_publish = published
    client.connect("127.0.0.1", int(sys.argv[1]))
    client.loop_start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("ready", flush=True)
    for line in sys.stdin:
        with client._out_message_mutex:
            said = client.publish(TOPIC, json.dumps({"n": int(line), "pad": PAD}), 1)
            waiting[said.mid] = int(line)
    signal.pause()


if __name__ == "__main__":
    main()
