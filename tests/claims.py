"""Whose is it? Every recording, cut at random points, offered to all drivers at all their line settings.

    python -m tests.claims --cuts 200 --seed 1 --out FILE

One line of JSON a recording: of the cuts at its own driver's settings, how many were claimed by its own driver, by
nobody and by others, and after how many bytes; and what claimed it at settings that are not its own (`elsewhere`).
Exits 1 where another driver than its own claims a recording, or keeps it from its own, or where nobody ever claims it.
Where nobody claims the rest after a cut, that is mostly because too little is left (`too_short_percent`): not even its
own driver, alone, would be convinced. A capture holds what was said to a driver that asks, so asking is not tried here
but in test_asking.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from agent.cli import decode
from agent.ports.evidence import FRAMES, PLAIN_BYTES, Trial
from agent.ports.seek import settings_of
from drivers import capture, registry
from drivers.contract import Driver, Integrity, Numeric, Serial, Wave

CAPTURES = Path(__file__).parent / "captures"
KINDS = [kind for kind in registry.all_drivers() if any(isinstance(claim, Serial) for claim in kind.info.claims)]
# One protocol under two names, each at line settings of its own: on one line they are rivals.
TWINS = {"berry_bci": "contec_v5", "contec_v5": "berry_bci"}
# Long recordings of the corpus, as files that `wardlink decode` reads.
CORPUS = {
    "contec_cms60c/cms60c_serial_dialogue_part1.txt": "contec_v7",
    "contec_cms60c/cms60c_rx_part1.bin": "contec_v7",
    "dinamap_pro1000_native/dinamap_blocks_0000_0799.txt": "dinamap_pro1000",
    "ivy_450c_ansarb/Ivy450C.part1.data": "ivy_450c",
    "philips_intellivue_rs232/mpraw_frames_0000_2019.raw": "philips_intellivue",
}
PIECE_BYTES = 256
HEARD_LIMIT_BYTES = 24_576  # after a cut; who is not understood by then is understood nowhere in this piece
Chunk = tuple[int, bytes]


@dataclass(frozen=True)
class Recording:
    name: str
    kind: type[Driver]
    chunks: tuple[Chunk, ...]

    def cut(self, random: Random) -> list[Chunk]:
        """From any byte on."""
        start = random.randrange(len(self.chunks))
        at, data = self.chunks[start]
        return [(at, data[random.randrange(len(data)) :]), *self.chunks[start + 1 :]]


@dataclass
class Tally:
    own: int = 0
    nobody: int = 0  # of these, `short` ended before its own driver had enough, heard alone
    short: int = 0
    rivals: dict[str, int] = field(default_factory=dict)  # who kept it from its own driver in the rest
    others: dict[str, int] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)
    after_bytes: list[int] = field(default_factory=list)


def recordings() -> Iterator[Recording]:
    for kind in KINDS:
        for path in sorted((CAPTURES / kind.info.id).glob("*.cap")):
            story = capture.parse(path.read_text(encoding="utf-8"))
            chunks = tuple(story.chunks())
            if chunks:
                yield Recording(f"{kind.info.id}/{path.stem}", kind, chunks)
    root = os.environ.get("WARDLINK_CORPUS")
    for name, driver_id in CORPUS.items() if root else ():
        kind = registry.driver(driver_id)
        path = Path(root or "") / name
        if path.is_file():
            with path.open("rb") as source:
                chunks = tuple(decode.chunks(source, decode.line_of(kind())))
            yield Recording(f"corpus/{name}", kind, tuple(pieces(chunks)))


def pieces(chunks: Sequence[Chunk]) -> Iterator[Chunk]:
    for at, data in chunks:
        yield from ((at, data[start : start + PIECE_BYTES]) for start in range(0, len(data), PIECE_BYTES))


def claimed(kinds: Sequence[type[Driver]], chunks: Sequence[Chunk]) -> tuple[tuple[str, ...], int]:
    """Who is chosen, or who rivals at the end, and after how many bytes."""
    trial = Trial(kinds)
    ids: tuple[str, ...] = ()
    for at, data in chunks:
        verdict = trial.hear(data, at)
        ids = verdict.ids
        if verdict.is_sure or trial.heard_bytes > HEARD_LIMIT_BYTES:
            break
    return ids, trial.heard_bytes


def tally(one: Recording, cuts: int, random: Random) -> Tally:
    found = Tally()
    own = one.kind.info.id
    lines = [(kinds, own_line) for _, kinds in settings_of(KINDS) if (own_line := one.kind in kinds) or True]
    for kinds, is_own in lines:
        for number in range(cuts if is_own else max(1, cuts // 20)):
            chunks = list(one.chunks) if number == 0 else one.cut(random)
            ids, heard_bytes = claimed(kinds, chunks)
            count(found, own, ids, heard_bytes, is_own)
            if is_own and own not in ids[:1] and len(ids) != 1:
                blame(found, one.kind, kinds, chunks)
    return found


def blame(found: Tally, kind: type[Driver], kinds: Sequence[type[Driver]], chunks: Sequence[Chunk]) -> None:
    """Why nobody was chosen: too little was left, or others stood in the way."""
    if not claimed([kind], chunks)[0]:
        found.short += 1
        return
    for other in kinds:
        if other is not kind and claimed([kind, other], chunks)[0] != (kind.info.id,):
            found.rivals[other.info.id] = found.rivals.get(other.info.id, 0) + 1


def count(found: Tally, own: str, ids: tuple[str, ...], heard_bytes: int, is_own: bool) -> None:
    if len(ids) == 1 and ids[0] != own:
        place = found.others if is_own or TWINS.get(own) != ids[0] else found.elsewhere
        place[ids[0]] = place.get(ids[0], 0) + 1
    elif is_own and ids == (own,):
        found.own += 1
        found.after_bytes.append(heard_bytes)
    elif is_own:
        found.nobody += 1


def reason(one: Recording) -> str:
    """Why nobody may claim it: what its own driver finds in it from its first byte on."""
    ears = Trial([one.kind]).ears
    runs = [0]
    for at, data in one.chunks:
        ears[0].hear(data, at)
        runs.append(ears[0].frames)
    counts, best = ears[0].driver.counts, max(runs)
    speaks = any(isinstance(said, Numeric | Wave) for _, said in capture.play(one.kind(), one.chunks))
    if best < FRAMES:
        row = " in a row" if one.kind.info.integrity is Integrity.NONE else ""
        return f"{best} good frames{row} ({counts.frames} in all); {FRAMES} are wanted"
    if one.kind.info.integrity is Integrity.NONE and not speaks:
        return "no reading and no wave among its frames"
    if one.kind.info.integrity is Integrity.NONE and ears[0].explained_bytes < PLAIN_BYTES:
        return f"fewer than {PLAIN_BYTES} bytes in a row"
    return "rivals"


def row(one: Recording, found: Tally) -> dict[str, Any]:
    cuts = found.own + found.nobody + sum(found.others.values())
    after = found.after_bytes
    line: dict[str, Any] = {
        "recording": one.name,
        "bytes": sum(len(data) for _, data in one.chunks),
        "cuts": cuts,
        "own_percent": round(100 * found.own / cuts, 1),
        "nobody_percent": round(100 * found.nobody / cuts, 1),
        "too_short_percent": round(100 * found.short / cuts, 1),
        "others_percent": round(100 * sum(found.others.values()) / cuts, 1),
        "after_bytes": {"median": int(statistics.median(after)), "most": max(after)} if after else None,
    }
    line |= {"others": found.others} if found.others else {}
    line |= {"rivals": found.rivals} if found.nobody > found.short else {}
    line |= {"elsewhere": found.elsewhere} if found.elsewhere else {}
    return line if found.own else line | {"why_nobody": reason(one)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.claims", description=__doc__)
    parser.add_argument("--cuts", type=int, default=200, help="of each recording at each of its own settings")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="recordings whose name has this in it")
    parser.add_argument("--out", type=Path, help="append the lines to this file too")
    args = parser.parse_args()
    bad = 0
    for one in (found for found in recordings() if args.only in found.name):
        line = row(one, tally(one, args.cuts, Random(f"{args.seed}{one.name}")))
        text = json.dumps(line)
        print(text, flush=True)
        if args.out:
            with args.out.open("a", encoding="utf-8") as out:
                print(text, file=out)
        bad += not line.keys().isdisjoint(("others", "rivals", "why_nobody"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
