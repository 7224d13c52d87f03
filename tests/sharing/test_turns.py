"""Who may take turns at a broker that hospitals share: a real mosquitto with its plugin, over TLS."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from centre.config import Config
from centre.counts import Counts
from centre.fleet.broker import Site
from centre.fleet.refusals import read
from centre.subscriber import Subscriber
from tests.attack.hospitals import PLUGINS, Broker, Trust, until
from tests.attack.speaker import NOT_AUTHORIZED, Speaker

pytestmark = pytest.mark.skipif(not PLUGINS, reason="mosquitto and its dynamic security plugin are not installed")
STORE = "postgresql+psycopg://nobody@/nowhere"


def test_a_consumer_may_take_turns_in_its_group_and_nobody_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trust = Trust(tmp_path / "certs")
    desk, gateway = trust.party("centre-1"), trust.party("a" * 20)
    shutil.copy(desk.shown.key, trust.folder / "centre-1.tls.key")
    site = Site("alfa", ("a" * 20,), ("centre-1",), shares=("ward",))
    broker = Broker(tmp_path, trust, [site, Site("bravo", (), ("centre-2",), shares=("ward",))])
    keys = str(trust.folder)
    config = Config(f"mqtts://localhost:{broker.port}", keys, "centre-1", "ward", STORE, sites=("alfa",))
    subscriber = Subscriber(config, Counts())
    try:
        with caplog.at_level(logging.INFO):
            subscriber.start()
            until(lambda: "Sending SUBACK to centre-1" in broker.log.read_text())
            with Speaker.dial(broker.port, gateway.shown) as speaker:
                speaker.connect("a" * 20)
                for topic in (
                    "$share/ward/wl/1/alfa/+/vital",
                    "$share/x/#",
                    f"$share/ward/wl/1/alfa/{'a' * 20}/receipt",
                ):
                    assert speaker.subscribe(topic).reason == NOT_AUTHORIZED
        assert "broker refuses" not in caplog.text
        with broker.log.open(newline="\n") as log:
            refused = [(one.who, one.topic) for one in read(log, lambda _name, _topic: True) if one.what == "subscribe"]
        assert {who for who, _ in refused} == {"a" * 20}
    finally:
        subscriber.stop()
        broker.stop()
