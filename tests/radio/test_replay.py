"""A capture played by radio is heard by the driver that it was made for."""

from __future__ import annotations

import builtins
from pathlib import Path

import pytest

from agent.cli.entry import main
from agent.lab import by_radio
from drivers import capture, registry
from drivers.contract import Numeric
from tests.radio.bed import Bed, Device, named
from tests.radio.vtime import run, until

CAPTURES = Path(__file__).parents[1] / "captures"
STORY = CAPTURES / "gatt_oximeter" / "finger-in-and-out.cap"


@pytest.mark.parametrize("file", [STORY, CAPTURES / "gatt_thermometer" / "results.cap"], ids=lambda file: file.stem)
def test_what_a_capture_says_is_heard(tmp_path, file: Path) -> None:
    story = capture.parse(file.read_text(encoding="utf-8"))
    kind = registry.driver(story.header["driver"])
    expected = [said.value for _, said in capture.play(kind(), story.notified()) if isinstance(said, Numeric)]

    async def tale():
        face = by_radio.face_of(kind, story, "C0:11:22:33:44:55")
        bed = Bed(tmp_path, [named(face, kind.info.id)])
        device = Device(bed.ether, face, period_s=0)
        await device.switch_on()
        async with bed.watched():
            await until(device.wants.is_set)
            await by_radio._tell(device, story, 1.0)
            await until(lambda: len(bed.readings()) >= len(expected))
        device.switch_off()
        return bed

    assert [reading.value for reading in run(tale()).readings()] == expected


def test_without_bumble_it_is_said(monkeypatch, capsys) -> None:
    real = builtins.__import__

    def refuse(name, *given, **named):
        if name.startswith("agent.lab.by_radio"):
            raise ImportError("No module named 'bumble'")
        return real(name, *given, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert main(["replay", "--ble", "vhci", str(STORY)]) == 1
    assert "bumble is not installed" in capsys.readouterr().err


def test_a_transport_that_is_none_and_a_driver_without_radio_are_said(capsys) -> None:
    assert main(["replay", "--ble", "nonsense:1", str(STORY)]) == 1
    assert "error: --ble nonsense:1" in capsys.readouterr().err
    assert main(["replay", "--ble", "vhci", str(next((CAPTURES / "contec_v7").glob("*.cap")))]) == 1
    assert "not found by radio" in capsys.readouterr().err
