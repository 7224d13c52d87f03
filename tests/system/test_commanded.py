"""What a person commands at the centre happens at the gateway, is answered and written down, with real programs."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from agent import obeying
from agent.cli.entry import main
from agent.gateway import Gateway
from agent.uplink import commands
from agent.uplink.tls import LinkError
from centre import desk, intake, ordering
from centre.config import load_keys
from centre.store import Store
from tests.system.bell import Bell
from tests.system.gateway_rig import SITE, scene
from tests.system.test_resend import Hospital
from wire import audit, command, diagnosis
from wire.command import Command, SetPolicy
from wire.topics import Address

HOUR_US = 3_600_000_000
FAR_US = 4_000_000_000_000_000  # of an epoch's last command: later than any that this test gives


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "COMMAND_LEAST_S", 0.1)
    monkeypatch.setattr(ordering, "LOOK_S", 0.05)
    monkeypatch.setattr(ordering, "SPACE_S", 0.2)
    monkeypatch.setattr(intake, "IDLE_LIMIT_S", 0.05)
    monkeypatch.setattr(obeying, "UPDATER", Path("/nonexistent"))


class Ward(Hospital):
    """A hospital, and a person at its desk."""

    def __init__(self, folder: Path, rig, port: int) -> None:
        super().__init__(folder, rig, port)
        self.port = port
        self.toml = folder / "centre.toml"
        self.toml.write_text(
            f'broker = "{self.config.broker}"\nkeys = "{self.config.keys}"\nstore = "{self.config.store}"\n'
            f'[[gateways]]\nid = "{self.me}"\nsite = "{SITE}"\n'
        )
        self.signer = load_keys(self.config).signer

    def asked(self, *words: str) -> str:
        return desk.order(self.toml, self.me, words)

    def row(self, nonce: str):
        return next(row for row in desk.listed(self.toml, self.me) if row.nonce == nonce)

    async def answer(self, *words: str) -> tuple[str, str]:
        nonce = self.asked(*words)
        await Bell().until(lambda: self.row(nonce).outcome)
        return self.row(nonce).outcome, self.row(nonce).text

    def audit(self) -> list[audit.Entry]:
        lines = b"".join(file.read_bytes() for file in sorted((self.rig.folder / "state" / "audit").glob("*.jsonl")))
        found = lines.splitlines()
        audit.verify(found, audit.key_of(found))
        return [audit.read(line)[0] for line in found]


@asynccontextmanager
async def ward(folder: Path):
    async with scene(folder) as (rig, _, mosquitto):
        place = Ward(folder, rig, mosquitto.port)
        with place.centre():
            yield place


def test_what_is_commanded_happens_is_answered_and_written_down(tmp_path: Path) -> None:
    async def story() -> None:
        async with ward(tmp_path) as place:
            async with place.gateway() as gateway:
                await Bell().until(lambda: gateway.uplink.stat().state.connected)
                assert await place.answer("set-policy", "interval_s=0.5", "waves=ask") == (
                    "done",
                    "interval 0.5 s, late waves only when asked for",
                )
                assert gateway.obeying.interval_s == 0.5
                assert await place.answer("update", "9.0", "https://example.org/w.img", "00" * 32) == (
                    "refused",
                    "no updater on this machine: nothing was downloaded or changed",
                )
                outcome, text = await place.answer("update", "0.0.1", "https://example.org/w.img", "00" * 32)
                assert (outcome, text.partition(",")[0]) == ("refused", "0.0.1 is older than 0.1.0")
                (place.rig.folder / "directory").write_bytes(b"no directory")
                assert (await place.answer("rotate", str(place.rig.folder / "directory")))[0] == "refused"
                assert await place.answer("resend", "key", "1", "0-1") == ("done", "2 go again, 0 are not here")
            async with place.gateway() as gateway:
                assert gateway.obeying.interval_s == 0.5, "it is durable"
                assert await place.answer("set-policy", "default") == ("done", "as configured")
                assert gateway.obeying.interval_s == 0.25
            done = [(e.detail["verb"], e.detail["outcome"]) for e in place.audit() if e.what == "command"]
            assert [one for one in done if one[0] != "resend"] == [
                *(("set-policy", "done"), ("update", "refused"), ("update", "refused"), ("rotate", "refused")),
                ("set-policy", "done"),
            ]
            assert [e.what for e in place.audit()].count("start") == 2
            store = Store(place.config.store)
            try:
                known = store.audit(place.me)
                assert known.problem == ""
                against = audit.Head(known.count, known.hash).text()
            finally:
                store.close()
        state = str(tmp_path / "state")
        assert main(["audit", "verify", "--state", state, "--gateway", place.me, "--against", against]) == 0

    asyncio.run(story())


def test_a_bundle_comes_in_pieces_and_only_the_recipient_opens_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "wardlink")

    async def story() -> None:
        async with ward(tmp_path) as place, place.gateway() as gateway:
            await Bell().until(lambda: gateway.uplink.stat().state.connected)
            for _ in range(200):  # so that it has more than one piece
                gateway.obeying.auditing.say("gateway", "test", text="\N{SNOWMAN}" * 20)
            nonce = place.asked("collect-bundle")
            await Bell().until(lambda: place.row(nonce).pieces > 1 and place.row(nonce).here == place.row(nonce).pieces)
            assert place.row(nonce).outcome == "done"
            (tmp_path / "file.wldg").write_bytes(desk.bundle(place.toml, place.me, nonce))
        assert main(["bundle", "open", str(tmp_path / "file.wldg"), "--keys", str(place.rig.ring.centre)]) == 0
        parts = {file.name: file.read_bytes() for file in (tmp_path / "file").iterdir()}
        assert set(parts) == set(diagnosis.NAMES)
        assert json.loads(parts["about.json"])["gateway"] == place.me
        assert b"uplink state=connected" in parts["log.txt"]
        assert json.loads(parts["link.json"])[-1]["connected"] is True
        assert b'"what":"test"' in parts["audit.jsonl"]

    asyncio.run(story())


def retain(port: int, topic: str, data: bytes) -> None:
    """What somebody who may write to the broker leaves there for good."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(topic, data, qos=1, retain=True).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def test_a_command_that_is_retained_is_heard_at_each_connection_and_done_once_at_most(tmp_path: Path) -> None:
    async def story() -> None:
        async with ward(tmp_path) as place:
            topic = Address(SITE, place.me).topic("command")

            def poison(start: bytes, interval_ms: int) -> None:
                said = Command(FAR_US, FAR_US + HOUR_US, 1, start, b"8 random", SetPolicy(interval_ms))
                retain(place.port, topic, command.sign(place.signer, place.me, said))

            async def twice(gateway: Gateway) -> dict[str, int]:
                """What is refused over a second connection."""
                await Bell().until(
                    lambda: gateway.uplink.stat().commands_refused or gateway.uplink.stat().commands_taken
                )
                gateway.uplink._link._lose(LinkError("cut by the test", ""))
                await Bell().until(lambda: gateway.uplink.stat().reconnects and gateway.uplink.stat().commands_refused)
                await Bell().until(lambda: sum(gateway.uplink.stat().commands_refused.values()) >= wanted)
                return dict(gateway.uplink.stat().commands_refused)

            wanted = 1
            async with place.gateway() as gateway:  # epoch 1: it is for this start, so it is done, once
                poison(gateway.keeping.spool.nonce, 750)
                assert await twice(gateway) == {"replayed": 1}
                assert gateway.obeying.interval_s == 0.75
            wanted = 2
            async with place.gateway() as gateway:  # epoch 2: it is for ever another's
                assert await twice(gateway) == {"epoch": 2}
            refused = [e for e in place.audit() if e.what == "refused"]
            done = [e for e in place.audit() if e.what == "command" and e.detail["verb"] == "set-policy"]
            assert [e.detail for e in refused] == [{"replayed": "1"}, {"epoch": "1"}, {"epoch": "1"}]
            assert len(done) == 1

    asyncio.run(story())
