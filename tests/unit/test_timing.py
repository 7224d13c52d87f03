"""Which time port is asked: the configuration's, else the directory's, nobody's without a key of the centre."""

from pathlib import Path

import msgspec
import pytest

from agent import identity
from agent.config import Config
from agent.enrol.places import ENROLLED_FILE
from agent.enrol.standing import Enrolled
from agent.lab import keyring
from agent.timeport import TimePort
from agent.timing import utc_of
from agent.world import World


@pytest.mark.parametrize(
    ("configured", "listed", "asked"),
    [
        ("", "", None),
        ("here:1", "", ("here", 1)),
        ("", "[::1]:8484", ("::1", 8484)),
        ("here:1", "there:2", ("here", 1)),
    ],
)
def test_who_is_asked(tmp_path: Path, configured: str, listed: str, asked) -> None:
    ring = keyring.make(tmp_path)
    if listed:
        enrolled = Enrolled("north", ring.gateway_id, 1, 0, 1, "", listed)
        (ring.gateway / ENROLLED_FILE).write_bytes(msgspec.json.encode(enrolled))
    config = Config("north", "mqtts://b", time=configured, keys=str(ring.gateway), state=str(tmp_path / "state"))
    who = identity.load(ring.gateway, receipts=True)
    port = utc_of(config, World(), who)._port
    assert (port._place if isinstance(port, TimePort) else None) == asked
    assert utc_of(config, World(), identity.load(ring.gateway, receipts=False))._port is None
