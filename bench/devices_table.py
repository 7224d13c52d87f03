"""The table of devices, docs/devices.md: `python bench/devices_table.py > docs/devices.md`.

With --readme, the short table of devices in README.md, between its two marks, is written anew.

Every word of it comes from the drivers' own `Info` and from the headers of the captures; nothing is typed twice.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from drivers import capture, registry  # noqa: E402
from drivers.contract import Ble, Info, Integrity, Keyboard, Serial, Tcp, Udp  # noqa: E402

HEAD = """# Devices

Made by `bench/devices_table.py` from the drivers and the captures; a test keeps it so. To add a device is to add one
driver and one capture (`drivers/contract.py`, `drivers/capture.py`). What a driver does not know of its device stands
in its own first lines, `drivers/devices/<driver>.py`.

| column | |
|---|---|
| line | serial settings; the first is the default, `baud` in the configuration picks another |
| protected by | `crc`, `sum`: a damaged frame is refused and counted. `none`: a flipped bit may pass as a value |
| speaks | whether anything is ever sent to the device, and how many fixed requests there are |
| proven on | `real bytes`: a capture came from a device (which: see below). `partly real`: some of its bytes did. \
`examples`: all were made by the rules of the protocol |
"""
KINDS = {
    Serial: "serial cable",
    Ble: "Bluetooth LE",
    Tcp: "network (TCP)",
    Udp: "network (UDP)",
    Keyboard: "USB keyboard",
}
CAPTURES_HEAD = """
## Captures

What the drivers are tried on, `tests/captures/<driver>/<capture>.cap`.
"""
BEGIN, END = "<!-- devices:begin -->", "<!-- devices:end -->"


def stories() -> dict[str, list[tuple[str, dict[str, str]]]]:
    """Per driver: (name of the capture, its header), by name."""
    found: dict[str, list[tuple[str, dict[str, str]]]] = {driver_id: [] for driver_id in registry.ids()}
    for path in sorted((ROOT / "tests" / "captures").glob("*/*.cap")):
        header = capture.parse(path.read_text(encoding="utf-8")).header
        found.setdefault(path.parent.name, []).append((path.stem, header))
    return found


def proven(origins: Iterable[str]) -> str:
    """The best that the captures' origins allow to say."""
    said = list(origins)
    if any(re.match(r"(real|recorded)\b(?!-)", origin) for origin in said):
        return "real bytes"
    return "partly real" if any(re.search(r"\breal\b(?!-)", origin) for origin in said) else "examples"


def row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def device_row(info: Info, origins: Iterable[str]) -> str:
    return row(
        f"`{info.id}`",
        ", ".join(info.models),
        "; ".join(map(str, info.claims)),
        ", ".join(f"`{channel}`" for channel in info.emits),
        Integrity(info.integrity).value,
        f"{len(info.sends) + len(info.masked)} requests" if info.sends or info.masked else "nothing",
        proven(origins),
    )


def lines() -> Iterator[str]:
    found = stories()
    kinds = [kind.info for kind in registry.all_drivers()]
    yield HEAD
    yield row("driver", "models", "line", "channels", "protected by", "speaks", "proven on")
    yield row(*["---"] * 7)
    for info in kinds:
        yield device_row(info, [header["origin"] for _, header in found[info.id]])
    yield "\n## Wiring\n"
    yield row("driver", "cable and menu settings")
    yield row(*["---"] * 2)
    for info in kinds:
        yield row(f"`{info.id}`", info.wiring)
    yield CAPTURES_HEAD
    yield row("driver", "capture", "device", "captured", "origin", "story")
    yield row(*["---"] * 6)
    for driver_id, told in found.items():
        for name, header in told:
            yield row(f"`{driver_id}`", name, *(header[key] for key in ("device", "captured", "origin", "story")))


def ways(info: Info) -> str:
    """By what a device is connected."""
    return ", ".join(dict.fromkeys(KINDS[type(claim)] for claim in info.claims))


def readme_lines() -> Iterator[str]:
    """Each driver's devices, by what they are connected, and on what the driver is proven."""
    found = stories()
    yield row("devices", "by", "driver", "proven on")
    yield row(*["---"] * 4)
    for info in sorted((kind.info for kind in registry.all_drivers()), key=lambda info: info.models[0].lower()):
        said = proven(header["origin"] for _, header in found[info.id])
        yield row(", ".join(info.models), ways(info), f"[{info.id}](docs/cables.md#{info.id})", said)


def readme(written: str) -> str:
    """README.md with the table of today. The marks must be there."""
    before, begin, rest = written.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"README.md lacks {BEGIN}"
    assert end, f"README.md lacks {END}"
    return f"{before}{begin}\n{chr(10).join(readme_lines())}\n{end}{after}"


def text() -> str:
    """The whole file."""
    return "\n".join(lines()) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--readme"]:
        page = ROOT / "README.md"
        page.write_text(readme(page.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        sys.stdout.write(text())
