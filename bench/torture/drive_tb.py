"""ThingsBoard Gateway's event storage, through its own code; run by the Python it is installed for.

    drive_tb.py KIND FOLDER BROKER_PORT SETTINGS_JSON

Numbers come on stdin, a line each; `+N` says that `put` gave True, `-N` that it gave up as its gateway does (five
tries). Sending follows the loop of its tb_gateway_service: a pack is read, published at QoS 1, and given up by the
storage (`event_pack_processing_done`) once all of it is acknowledged; else it is sent again.
"""

import json
import logging
import signal
import sys
import threading
import time

import paho.mqtt.client as mqtt
from thingsboard_gateway.storage.file.file_event_storage import FileEventStorage
from thingsboard_gateway.storage.memory.memory_event_storage import MemoryEventStorage
from thingsboard_gateway.storage.sqlite.sqlite_event_storage import SQLiteEventStorage

KINDS = {"file": FileEventStorage, "memory": MemoryEventStorage, "sqlite": SQLiteEventStorage}
PAD = "x" * 150  # as record.py has it: this program runs in another environment
TOPIC = "v1/gateway/telemetry"
TRIES = 5
IN_ONE_MESSAGE = 50


class Log(logging.Logger):
    """As its own, which has a level below debug."""

    def trace(self, *_given, **_named):
        return


def record(number: int) -> str:
    telemetry = [{"ts": number, "values": {"n": number, "pad": PAD}}]
    return json.dumps({"deviceName": "d", "telemetry": telemetry}, separators=(",", ":"))


def accept(storage) -> None:
    for line in sys.stdin:
        for _ in range(TRIES):
            if storage.put(record(int(line))):
                print(f"+{int(line)}", flush=True)
                break
            time.sleep(0.1)
        else:
            print(f"-{int(line)}", flush=True)


def send(storage, client, stopped) -> None:
    while not stopped.is_set():
        if not client.is_connected():
            stopped.wait(0.2)
            continue
        events = storage.get_event_pack()
        if not events:
            stopped.wait(0.05)
            continue
        items = []
        for event in events:
            try:
                items += json.loads(event)["telemetry"]
            except (ValueError, KeyError, TypeError):
                continue  # "it will be skipped", as theirs
        parts = [items[at : at + IN_ONE_MESSAGE] for at in range(0, len(items), IN_ONE_MESSAGE)]
        sent = [client.publish(TOPIC, json.dumps({"d": part}), 1) for part in parts]
        if all(acknowledged(one, client, stopped) for one in sent) and client.is_connected():
            storage.event_pack_processing_done()


def acknowledged(one, client, stopped) -> bool:
    while not one.is_published():
        if stopped.is_set() or not client.is_connected():
            return False
        stopped.wait(0.005)
    return True


def main() -> None:
    kind, folder, port, settings = sys.argv[1:]
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
    stopped = threading.Event()
    config = {"data_folder_path": f"{folder}/", "data_file_path": f"{folder}/", **json.loads(settings)}
    storage = KINDS[kind](config, Log("storage"), stopped)
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "tb-gateway", clean_session=True)
    client.reconnect_delay_set(1, 1)
    client.max_inflight_messages_set(100)
    client.connect_async("127.0.0.1", int(port))
    client.loop_start()
    threading.Thread(target=send, args=(storage, client, stopped), daemon=True).start()

    def stop(*_: object) -> None:
        stopped.set()
        storage.stop()
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    accept(storage)
    signal.pause()


if __name__ == "__main__":
    main()
