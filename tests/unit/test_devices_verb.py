"""`wardlink devices`: who is understood on what is plugged in, from the status the gateway wrote."""

import json

import msgspec

from agent.cli.entry import main
from agent.health import status
from agent.health.status import PortStatus
from tests.unit.test_status import WELL

FOUND = PortStatus("/dev/ttyUSB0", "masimo_ascii1", "open", 0.4, 9, 0, 0, pinned=False)
PINNED = PortStatus("/dev/ttyUSB1", "contec_v7", "open", None, 0, 0, 0)
NOBODY = PortStatus("/dev/ttyUSB2", "", "listening: nothing is heard", None, 0, 0, 0, pinned=False)


def written(folder, *ports: PortStatus) -> list[str]:
    (folder / status.STATUS_FILE).write_bytes(status.pack(msgspec.structs.replace(WELL, ports=list(ports))))
    return ["devices", "--runtime", str(folder)]


def test_each_says_who_was_understood_and_why(tmp_path, capsys) -> None:
    assert main(written(tmp_path, FOUND, PINNED, NOBODY)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "/dev/ttyUSB0  masimo_ascii1, found by what it says, open, heard 0.4 s ago",
        "/dev/ttyUSB1  contec_v7, pinned in the configuration, open, not heard yet",
        "/dev/ttyUSB2  listening: nothing is heard",
    ]


def test_nothing_is_said_to_be_nothing(tmp_path, capsys) -> None:
    assert main(written(tmp_path)) == 0
    assert "nothing is plugged in" in capsys.readouterr().out


def test_as_json(tmp_path, capsys) -> None:
    assert main([*written(tmp_path, FOUND), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["driver"] == "masimo_ascii1"


def test_without_a_gateway_it_says_what_to_do(tmp_path, capsys) -> None:
    assert main(["devices", "--runtime", str(tmp_path)]) == 1
    assert "systemctl start wardlink" in capsys.readouterr().err
