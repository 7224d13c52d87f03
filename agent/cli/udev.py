"""The udev rules for serial adapters, made from the drivers: systemd/60-wardlink.rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from drivers.contract import Driver, Serial

# Vendors of bridges from USB to a serial line. They identify nobody: the same chip is in any adapter.
BRIDGES = (
    ("0403", "FTDI"),
    ("067b", "Prolific PL2303"),
    ("0557", "ATEN"),
    ("10c4", "Silicon Labs CP210x"),
    ("110a", "Moxa UPort"),
    ("1a86", "WCH CH34x"),
    ("9710", "MosChip"),
)
HEAD = """\
# Serial adapters for wardlink. Made by `wardlink drivers --udev`: do not edit, a test compares.
#
# A bridge's USB id tells nobody who is at the other end, and no driver knows an id of its device's maker: what is found
# there is found by what it says. So the rules only give the group its ports, and keep away whoever would open them to
# look for a modem: bytes of ModemManager on a ventilator's port are nobody's wish. Modems themselves are left alone.
# (brltty takes adapters for Braille displays and has no such switch: remove the package from a gateway.)
#
# Drivers that may be found on these ports:
"""
RULES = """
ACTION=="remove", GOTO="wardlink_end"
SUBSYSTEM!="usb|tty", GOTO="wardlink_end"

"""
TAIL = """\
GOTO="wardlink_end"

LABEL="wardlink_bridge"
ENV{ID_MM_DEVICE_IGNORE}="1", ENV{ID_MM_PORT_IGNORE}="1"
SUBSYSTEM=="tty", GROUP="dialout", MODE="0660"
SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", TEST=="power/control", ATTR{power/control}="on"

LABEL="wardlink_end"
"""


def text(kinds: Iterable[type[Driver]]) -> str:
    """The whole file."""
    found = "".join(f"#   {line}\n" for line in _found(kinds))
    bridges = "".join(map(_bridge, BRIDGES))
    return HEAD + found + RULES + bridges + TAIL


def _found(kinds: Iterable[type[Driver]]) -> Iterator[str]:
    for kind in kinds:
        lines = [str(claim) for claim in kind.info.claims if isinstance(claim, Serial)]
        if lines:
            yield f"{kind.info.id:22} {'; '.join(lines)}"


def _bridge(named: tuple[str, str]) -> str:
    """By its own id, not by that of a hub above it: ATTRS would find those, too."""
    vendor, name = named
    usb = f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor}", GOTO="wardlink_bridge"\n'
    return f'# {name}\n{usb}SUBSYSTEM=="tty", ENV{{ID_VENDOR_ID}}=="{vendor}", GOTO="wardlink_bridge"\n'
