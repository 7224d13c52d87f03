"""Commands as programs: what a day's recording costs in memory, and a device played and recorded over a line."""

import json
import os
import subprocess
import sys
import tty
from pathlib import Path

import pytest

from drivers import capture

ROOT = Path(__file__).parents[2]
CAPTURES = Path(__file__).parents[1] / "captures"
IVY = ROOT / "tests" / "captures" / "ivy_450c" / "simulator-hr80.cap"
WARDLINK = (sys.executable, "-m", "agent.cli.entry")
STREAM_BYTES = 64 << 20
MEMORY_LIMIT_BYTES = 100 << 20
MEASURED = """
import pathlib, sys
from agent.cli.entry import main
main(sys.argv[1:])
lines = pathlib.Path("/proc/self/status").read_text().splitlines()
print(next(line for line in lines if line.startswith("VmHWM")), file=sys.stderr)
"""


def program(*words: object, **given) -> subprocess.Popen:
    return subprocess.Popen([*WARDLINK, *map(str, words)], cwd=ROOT, **given)


@pytest.fixture
def stream(tmp_path):
    """A monitor's messages, and between them a line that is noisy or dead."""
    said = b"".join(data for _, data in capture.parse(IVY.read_text()).chunks())

    def make(coded, size: int) -> Path:
        file = tmp_path / "stream"
        piece = coded(said + b"A" * ((1 << 20) - len(said)))
        with file.open("wb") as out:
            while out.tell() < size:
                out.write(piece)
        return file

    return make


@pytest.mark.parametrize(
    ("coded", "size"),
    [
        (bytes, STREAM_BYTES),
        (lambda data: data.hex().encode(), STREAM_BYTES // 4),
        (lambda data: data.hex("\n", 32).encode() + b"\n", STREAM_BYTES // 4),
    ],
    ids=["raw", "hex without lines", "hex lines"],
)
def test_a_long_recording_is_streamed(stream, coded, size: int) -> None:
    """Measured by the program itself, at its end: the kernel counts a parent's memory into a child's."""
    words = [sys.executable, "-c", MEASURED, "decode", "--driver", "ivy_450c", str(stream(coded, size))]
    ended = subprocess.run(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
    counts, peak = ended.stderr.splitlines()
    assert int(counts.split()[1]) >= size >> 21
    assert int(peak.split()[1]) * 1024 < MEMORY_LIMIT_BYTES


def test_a_capture_played_and_recorded_over_a_line_is_the_same_bytes(tmp_path) -> None:
    """Played at eight times its pace; whatever is in the kernel's buffer at the end is still read."""
    link, out = tmp_path / "device", tmp_path / "recorded.cap"
    played = program("replay", "--link", link, "--speed", "8", "--json", IVY, stdout=subprocess.PIPE, text=True)
    assert played.stdout is not None
    assert json.loads(played.stdout.readline())["port"].startswith("/dev/")
    words = ("record", "--driver", "ivy_450c", "--seconds", "30", "--story", "one\nline\n\nonly", link, out)
    recorded = program(*words, stderr=subprocess.PIPE, text=True)
    assert played.wait(20) == 0
    _, said = recorded.communicate(timeout=20)
    played.stdout.close()
    assert recorded.returncode == 1, "the device was unplugged"
    assert "unplugged after 1938 bytes" in said
    assert "hint: what was heard is in" in said
    story = capture.parse(out.read_text())
    assert story.header["story"] == "one line only"
    first = capture.parse(IVY.read_text())
    assert b"".join(data for _, data in story.chunks()) == b"".join(data for _, data in first.chunks())
    assert not link.exists()


def test_a_recording_ends_in_its_time_and_says_how_much(tmp_path) -> None:
    host, device = os.openpty()
    os.write(host, b"\xff\x00\x01")
    words = ("record", "--driver", "contec_v7", "--seconds", "0.3", "--json", os.ttyname(device), "-")
    recorded = program(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, said = recorded.communicate(timeout=20)
    os.close(host)
    os.close(device)
    assert recorded.returncode == 0
    assert "bytes" in json.loads(said)
    assert capture.parse(out).header["driver"] == "contec_v7"


MASIMO = CAPTURES / "masimo_ascii1" / "rad8-2016.cap"


def recorded(*words: object, says: bytes) -> tuple[int, str, str]:
    host, device = os.openpty()
    tty.setraw(device)
    os.write(host, says)
    ran = program(
        "record",
        "--seconds",
        "0.3",
        *words,
        os.ttyname(device),
        "-",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, said = ran.communicate(timeout=20)
    os.close(host)
    os.close(device)
    return ran.returncode, out, said


def test_a_device_is_recorded_without_knowing_whose_it_is_from_its_first_byte() -> None:
    data = b"".join(data for _, data in capture.parse(MASIMO.read_text()).chunks())
    code, out, _ = recorded(says=data)
    story = capture.parse(out)
    assert code == 0
    assert story.header["driver"] == "masimo_ascii1"
    assert story.header["line"] == "9600 8N1"
    assert story.header["found"].startswith("understood by listening: ")
    assert story.header["patient"].startswith("none was said by the driver")
    assert b"".join(data for _, data in story.chunks()) == data


def test_an_unknown_device_is_recorded_at_a_chosen_speed_and_that_it_may_hold_a_name_is_said() -> None:
    code, out, said = recorded("--baud", "19200", "--parity", "E", says=b"Mensah Kofi\r\n" * 9)
    header = capture.parse(out).header
    assert (code, header["driver"], header["line"]) == (0, "unknown", "19200 8E1")
    assert "MAY HOLD A PATIENT'S IDENTITY" in header["patient"]
    assert "MAY HOLD A PATIENT'S IDENTITY" in said
    code, out, said = recorded("--search", "0.3", says=b"Mensah Kofi\r\n" * 9)
    assert (code, out) == (1, "")
    assert "hint: `--baud 9600`" in said


def test_a_name_that_the_driver_says_is_not_in_the_recording() -> None:
    story = capture.parse((CAPTURES / "contec_v7" / "cms60c-finger-in.cap").read_text())
    data = b"".join(data for _, data in story.chunks())
    owner = bytes.fromhex("F5F3E5F2")  # "user" as the device says it
    assert owner in data
    code, out, _ = recorded("--driver", "contec_v7", says=data)
    kept = b"".join(data for _, data in capture.parse(out).chunks())
    assert code == 0
    assert (len(kept), owner in kept) == (len(data), False)
    assert "filled with X in" in out
