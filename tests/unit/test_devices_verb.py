"""`wardlink devices`: who is understood on what is plugged in, from the status the gateway wrote."""

import json

import msgspec

from agent.cli.entry import main
from agent.health import status
from agent.health.status import AskedStatus, PortStatus
from tests.unit.test_status import WELL

FOUND = PortStatus(
    "/dev/ttyUSB0", "masimo_ascii1", "open", 0.4, 9, 0, 0, pinned=False,
    adapter="FTDI FT232R", place="usb-1-1.2:1.0", line="9600 8N1", tried=["115200 8N1"],
    why="understood by listening: 3 good frames at 9600 8N1, one after the other; nothing protects them",
)  # fmt: skip
PINNED = PortStatus("/dev/ttyUSB1", "contec_v7", "open", None, 0, 0, 0, why="pinned in the configuration")
NOBODY = PortStatus(
    "/dev/ttyUSB2", "", "listening: nothing is heard; asked: ge_s5", None, 0, 0, 0, pinned=False, place="usb-2",
    asked=[AskedStatus("ge_s5", "19200 8E1", 3, 182)],
)  # fmt: skip


def written(folder, *ports: PortStatus) -> list[str]:
    (folder / status.STATUS_FILE).write_bytes(status.pack(msgspec.structs.replace(WELL, ports=list(ports))))
    return ["devices", "--runtime", str(folder)]


def test_each_says_who_was_understood_and_why(tmp_path, capsys) -> None:
    assert main(written(tmp_path, FOUND, PINNED, NOBODY)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "/dev/ttyUSB0  FTDI FT232R at usb-1-1.2:1.0",
        "  masimo_ascii1, open, heard 0.4 s ago",
        "  why    understood by listening: 3 good frames at 9600 8N1, one after the other; nothing protects them",
        "  tried  115200 8N1: bytes came that nobody understood",
        "/dev/ttyUSB1",
        "  contec_v7, open, not heard yet",
        "  why    pinned in the configuration",
        "/dev/ttyUSB2  adapter at usb-2",
        "  listening: nothing is heard; asked: ge_s5",
        "  asked  ge_s5 at 19200 8E1 (3 requests, 182 bytes)",
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
