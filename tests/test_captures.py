"""Every capture in the repository: the driver says exactly what the file says it must."""

from pathlib import Path

import pytest

from drivers import capture, registry

CAPTURES = sorted(Path(__file__).parent.glob("captures/*/*.cap"))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_capture_is_told_as_written(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    story = capture.parse(text)
    assert story.header["driver"] == path.parent.name
    told = capture.transcript(registry.driver(path.parent.name)(), story)
    written = [line for line in text.partition("\n\n")[2].splitlines() if line.strip() and not line.startswith("#")]
    assert told == written, "say `make bless` where the change is meant, and explain it in the commit"


def test_every_driver_has_a_capture() -> None:
    assert {path.parent.name for path in CAPTURES} == set(registry.ids())
