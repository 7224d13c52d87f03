"""Was every sample that the devices said stored, once? Asked of the centre's public interface, not of its insides."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Key = tuple[str, str]  # port, channel
PAGE_SAMPLES = 100_000
PATIENCE_S = 10


@dataclass(frozen=True, slots=True)
class Verdict:
    """One channel: what was said, what is stored, and whether they are the same integers in the same order."""

    port: str
    channel: str
    said: int
    stored: int
    same: bool


class Centre:
    """The JSON interface of a centre."""

    def __init__(self, url: str, gateway: str, token: str) -> None:
        self._bed = f"{url}/api/beds/{gateway}"
        self._headers = {"Authorization": f"Bearer {token}"}

    def stored(self) -> dict[Key, Integers]:
        """Every wave stream's samples by port and channel, in the order of epochs and streams."""
        found: dict[Key, list[Integers]] = {}
        for epoch in self._ask("streams")["epochs"]:
            for stream in self._streams(epoch):
                if stream["rate"][0] > 0:
                    key = (stream["port"], stream["channel"])
                    found.setdefault(key, []).extend(self._samples(epoch, stream["stream"]))
        return {key: np.concatenate(runs) if runs else np.zeros(0, np.int64) for key, runs in found.items()}

    def ledger(self) -> dict[str, Any]:
        return self._ask("ledger")

    def _streams(self, epoch: int) -> list[dict[str, Any]]:
        try:
            streams: list[dict[str, Any]] = self._ask("streams", epoch=epoch)["streams"]
        except urllib.error.HTTPError as error:
            if error.code == 404:  # an epoch of which no catalogue has come yet
                return []
            raise
        return streams

    def _samples(self, epoch: int, stream: int) -> list[Integers]:
        runs: list[Integers] = []
        first: int | None = 0
        while first is not None:
            answer = self._ask("samples", epoch=epoch, stream=stream, first=first)
            runs += [np.array(run["samples"], np.int64) for run in answer["runs"]]
            first = answer["next"]
        return runs

    def _ask(self, word: str, **query: int) -> dict[str, Any]:
        url = f"{self._bed}/{word}?{urllib.parse.urlencode(query)}"
        asked = urllib.request.Request(url, headers=self._headers)  # noqa: S310  our own local centre
        with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:  # noqa: S310
            said: dict[str, Any] = json.load(answer)
        return said


def compare(said: Mapping[Key, Integers], stored: Mapping[Key, Integers]) -> list[Verdict]:
    """One verdict for each channel that was said."""
    empty = np.zeros(0, np.int64)
    verdicts = []
    for (port, channel), samples in sorted(said.items()):
        there = stored.get((port, channel), empty)
        verdicts.append(Verdict(port, channel, len(samples), len(there), bool(np.array_equal(samples, there))))
    return verdicts
