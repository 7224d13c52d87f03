"""The machine's own network, as the kernel tells it: what is linked, has an address, and has a way out.

/proc/self/net/route and ipv6_route (proc(5); /proc/net is hidden from a unit that sees processes alone);
/sys/class/net/*/carrier (the kernel's ABI/testing/sysfs-class-net).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_UP = 0x1  # RTF_UP
_GATEWAY = 0x2  # RTF_GATEWAY


@dataclass(frozen=True, slots=True)
class Net:
    """`linked`: names of interfaces with a carrier, without the loop; the rest: whether there is any."""

    linked: tuple[str, ...]
    addressed: bool
    routed: bool


def look(root: Path = Path("/")) -> Net | None:
    """None where the kernel does not say."""
    folder = root / "sys/class/net"
    if not folder.is_dir():
        return None
    linked = tuple(sorted(one.name for one in folder.iterdir() if one.name != "lo" and _text(one / "carrier") == "1"))
    four = [line.split() for line in _text(root / "proc/self/net/route").splitlines()[1:]]
    routes = [(words[0], words[1], int(words[3], 16)) for words in four if len(words) > 7]
    six = [line.split() for line in _text(root / "proc/self/net/ipv6_route").splitlines()]
    wide = [words for words in six if len(words) > 9 and words[9] != "lo" and not words[0].startswith(("fe80", "ff"))]
    addressed = any(flags & _UP and name != "lo" for name, _, flags in routes)
    routed = any(to == "00000000" and flags & _UP for _, to, flags in routes)
    routed6 = any(words[0] == "0" * 32 and words[1] == "00" and int(words[8], 16) & _GATEWAY for words in wide)
    return Net(linked, addressed or routed6, routed or routed6)


def _text(file: Path) -> str:
    try:
        return file.read_text("ascii", "replace").strip()
    except OSError:  # a carrier of an interface that is down cannot be read
        return ""
