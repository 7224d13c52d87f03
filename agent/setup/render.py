"""A setup as the files that the machine's own programs read. Pure: the same setup gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass

from agent.setup import keyfile, toml
from agent.setup.terms import KEPT, Setup, Whole

GATEWAY = "etc/wardlink/gateway.toml"
VOUCHER = "etc/wardlink/voucher.txt"
SOURCES = "etc/chrony/sources.d/wardlink.sources"
SSH_KEYS = "run/wardlink-setup/ssh/authorized_keys"
HOSTNAME = "etc/hostname"
OURS = ("site", "broker", "bed", "time", "proxy", "data_cap_mib")  # keys of gateway.toml that have one of their own
MARK = "# Made of wardlink.txt by `wardlink setup apply`: change it there.\n"


@dataclass(frozen=True, slots=True)
class Made:
    """One file. `path` is below the root; `data` None: it must not be there; `mode` is what chmod takes."""

    path: str
    data: bytes | None
    mode: int = 0o644


def rendered(whole: Whole) -> list[Made]:
    """In the order in which they are to be written: the network last, so that it comes up with all the rest there."""
    setup = whole.setup
    profiles = keyfile.profiles(setup, whole.files)
    keys = "".join(f"{key}\n" for key in setup.ssh_keys)
    sources = "".join(f"server {one} iburst\n" for one in setup.ntp)
    voucher = f"{setup.voucher}\n" if setup.voucher not in ("", KEPT) else ""
    return [
        Made(GATEWAY, (MARK + toml.written(gateway(setup))).encode(), 0o640),
        Made(VOUCHER, voucher.encode() or None, 0o600),
        Made(HOSTNAME, f"{setup.hostname}\n".encode()),
        Made(SOURCES, sources.encode() or None),
        Made(SSH_KEYS, keys.encode() or None),
        *(Made(f"{keyfile.FOLDER}/{name}", data.encode(), 0o600) for name, data in profiles.items()),
        *(
            Made(f"{keyfile.FOLDER}/{name}", None)
            for way in ("ethernet", "wifi", "mobile")
            if (name := f"wardlink-{way}.nmconnection") not in profiles
        ),
    ]


def gateway(setup: Setup) -> dict[str, object]:
    """gateway.toml's keys: ours, and what the engineer wrote below [gateway]."""
    ours = {key: getattr(setup, key) for key in OURS}
    page = setup.gateway.get("page", {})
    spoken = {"language": setup.language} | page if isinstance(page, dict) else page
    return {key: value for key, value in ours.items() if value not in ("", 0, KEPT)} | setup.gateway | {"page": spoken}
