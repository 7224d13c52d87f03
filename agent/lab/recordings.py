"""Recordings of real devices, where a corpus of them is set ($WARDLINK_CORPUS): replayed beside the simulated ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.lab.line import Line
from drivers import capture, registry
from drivers.contract import Wave

# folder and file of the corpus, driver, bytes a second of the real line
KNOWN = (
    ("contec_cms60c/cms60c_rx_part1.bin", "contec_v7", 540),
    ("ivy_450c_ansarb/Ivy450C.part1.data", "ivy_450c", 562),
    ("philips_intellivue_rs232/mpraw_frames_0000_2019.raw", "philips_intellivue", 4450),
)
PIECES_A_SECOND = 10


@dataclass(frozen=True, slots=True)
class Recording:
    link: Path
    driver: str
    line: Line
    pieces: list[tuple[int, bytes]]

    def said(self) -> dict[str, list[int]]:
        """The samples of what was played so far, as the driver reads them from the file itself."""
        data = b"".join(piece for _, piece in self.pieces)[: self.line.sent_bytes]
        samples: dict[str, list[int]] = {}
        for _, output in capture.play(registry.driver(self.driver)(), [(0, data)]):
            if isinstance(output, Wave):
                samples.setdefault(output.channel, []).extend(output.samples)
        return samples


def devices(folder: Path, clock: Callable[[], int]) -> list[Recording]:
    """One line for each recording that is there; none where no corpus is set."""
    corpus = os.environ.get("WARDLINK_CORPUS")
    if not corpus:
        return []
    found = []
    for name, driver, rate in KNOWN:
        file = Path(corpus) / name
        if file.exists():
            link = folder / f"recorded_{driver}"
            found.append(Recording(link, driver, Line(link, clock), _paced(file.read_bytes(), rate)))
    return found


def _paced(data: bytes, rate: int) -> list[tuple[int, bytes]]:
    size = max(1, rate // PIECES_A_SECOND)
    starts = range(0, len(data), size)
    return [(at * 1_000_000_000 // rate, data[at : at + size]) for at in starts]
