"""How to connect each device, docs/cables.md: `python bench/cables.py > docs/cables.md`.

Every word of it comes from the drivers' own `Info` and from the headers of the captures; nothing is typed twice.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from bench.devices_table import proven, row, stories, ways  # noqa: E402
from drivers import registry  # noqa: E402
from drivers.contract import Info, Integrity, Serial  # noqa: E402

HEAD = """# Cables and menus

For the engineer who stands before the device. Made by `bench/cables.py` from the drivers and the captures; a test keeps
it so. Find the device in the list, do what its section says, plug the adapter into the gateway, and look:

    wardlink devices        # who was understood, and why; or what was tried

| it says | then |
|---|---|
| the driver of the section | done |
| `nothing is heard` | is the device on, its output switched on in the menu, \
the cable crossed where it must be (2 to 3, 3 to 2)? |
| `unknown device` | wrong speed or mode in the device's menu; or a device nobody knows: `wardlink record` |

Connect medical devices through an isolated adapter: the gateway is no medical device, and is on another supply.

## Which section

"""
PROTECTED = {
    Integrity.NONE: "nothing: a flipped bit may pass as a value",
    Integrity.SUM: "a checksum in each frame",
    Integrity.CRC: "a CRC in each frame",
}


def index() -> Iterator[str]:
    yield row("device", "by", "section")
    yield row("---", "---", "---")
    found = [(model, kind.info) for kind in registry.all_drivers() for model in kind.info.models]
    for model, info in sorted(found, key=lambda one: one[0].lower()):
        yield row(model, ways(info), f"[{info.id}](#{info.id})")


def section(info: Info, told: list[tuple[str, dict[str, str]]]) -> Iterator[str]:
    yield f"\n## {info.id}\n"
    yield f"{', '.join(info.models)}.\n"
    yield f"- **Cable and menu**: {info.wiring}"
    serial = [str(claim) for claim in info.claims if isinstance(claim, Serial)]
    if serial:
        yield f"- **Line**: {'; '.join(serial)}. {how_found(info, serial)}"
    others = [str(claim) for claim in info.claims if not isinstance(claim, Serial)]
    if others:
        yield f"- **Claimed as**: {'; '.join(others)}"
    yield f"- **What comes**: {', '.join(f'`{channel}`' for channel in info.emits)}"
    yield f"- **Protected by**: {PROTECTED[Integrity(info.integrity)]}"
    yield f"- **Proven on**: {proven(header['origin'] for _, header in told)}"
    for name, header in told:
        yield f"    - `{name}`: {plain(header['device'])}; {plain(header['origin'])}"


def how_found(info: Info, serial: list[str]) -> str:
    """What an engineer must do besides plugging in."""
    among = "found at any of these by itself" if len(serial) > 1 else "found by itself"
    if not (info.sends or info.masked):
        return f"Speaks unasked: {among}."
    count = len(info.sends) + len(info.masked)
    return (
        f"Is asked ({count} requests are allowed, none starts a measurement, sets, silences or erases): pin it"
        f' (`driver = "{info.id}"`), or let discovery ask (`ask = ["{info.id}"]`). If it speaks unasked, it is {among}.'
    )


def plain(text: str) -> str:
    """A header's words as they are, and not as links or emphasis."""
    return re.sub(r"([*_<>\[\]])", r"\\\1", text)


def lines() -> Iterator[str]:
    found = stories()
    yield HEAD.rstrip("\n")
    yield ""
    yield from index()
    for kind in registry.all_drivers():
        yield from section(kind.info, found[kind.info.id])


def text() -> str:
    """The whole file."""
    return "\n".join(lines()) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
