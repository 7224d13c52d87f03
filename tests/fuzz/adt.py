"""Damaged HL7 messages: `python -m tests.fuzz.adt [--bytes 1000000] [--seed 27]`. Exit 1 where one raised."""

from __future__ import annotations

import argparse
import random
import sys

from agent.binding.adt import CODECS, Rules, acknowledgement, judge

RULES = Rules("LOKOSSA", "bed 3", "MED^12^3", "MR")
MESSAGE = (
    "MSH|^~\\&|HIS|LOKOSSA|||20261122101500||ADT^A01^ADT_A01|{id}|P|2.5.1||||||{charset}\r"
    "EVN|A01|20261122101400\r"
    "PID|1||99^^^X^SS~4711^^^LOK^MR||{name}||19811231\r"
    "PV1|1|I|MED^12^3^LOKOSSA|||MED^12^4\r"
)
NAMES = {
    "UNICODE UTF-8": "Бакирова^Айгүл",
    "8859/1": "Ouédraogo^Zoé",
    "8859/5": "Иванова^Анна",
    "8859/6": "محمد^علي",
    "GB 18030-2000": "王^丽娟",
    "": "Doe^Jane",
}


def message(charset: str = "", name: str = "Doe^Jane", control: str = "42") -> bytes:
    text = MESSAGE.replace("{charset}", charset).replace("{name}", name).replace("{id}", control)
    return text.encode(CODECS[charset])


def noise(seed: int, size_bytes: int) -> int:
    """How many messages were judged; each has an answer of two or three lines, whatever it was."""
    chance = random.Random(seed)
    whole = [message(charset, name) for charset, name in NAMES.items()]
    count = 0
    while size_bytes > 0:
        data = damaged(chance, chance.choice(whole))
        size_bytes -= len(data)
        judged = judge(data, RULES)
        assert judged.code in ("AA", "AE", "AR")
        assert acknowledgement(judged, ("W", "L"), "20261122101501").count(b"\r") in (2, 3)
        count += 1
    return count


def damaged(chance: random.Random, whole: bytes) -> bytes:
    data = bytearray(whole)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at : at + chance.randrange(20)]
            case 2:
                data[at:at] = chance.choice([b"|", b"^", b"~", b"\\", b"&", b"\r", b"\0", b"\\X41\\", b"MSH|"])
            case _:
                data[at:at] = data[: chance.randrange(40)]
    return bytes(data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=27)
    args = parser.parse_args()
    print(f"adt: {noise(args.seed, args.bytes)} damaged messages, {args.bytes} bytes, 0 raised")
    return 0


if __name__ == "__main__":
    sys.exit(main())
