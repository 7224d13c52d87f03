"""Statuses and beds as gateway and binding tell them, for tests of the page."""

from __future__ import annotations

from agent.binding.words import Bed, Episode, Person, Proposal
from agent.health.status import ChainStatus, LinkStatus, PortStatus, SpoolStatus, Status

NOW_NS = 4_000_000_000_000
SENT = LinkStatus(True, "", "", 0, 10, 9, 8, 0, 0, {}, 0, 0.1, 0, {}, 0, 0)
AWAY = LinkStatus(False, "refused", "", 0, 10, 9, 8, 0, 0, {}, 0, None, 0, {}, 0, 0, away_s=720.0)
KEPT = SpoolStatus([ChainStatus("vital", 41, 900, 900, 9000, 71.0)], 3, "", 0, 0, 0, 0)
REFUSED = SpoolStatus([ChainStatus("vital", 41, 900, 900, 9000, 71.0)], 3, "input/output error", 0, 0, 0, 0)
PERSON = Person("8811-204", "Aïcha Dossou", "1984-03-02")
OTHER = Person("7710-339", "Бакыт Асанов", "1979-11-30")


def port(driver: str = "nellcor_n560", heard_s: float | None = 0.4, state: str = "open") -> PortStatus:
    return PortStatus("/dev/ttyUSB0", driver, state, heard_s, 43, 0, 0)


def status(
    ports: tuple[PortStatus, ...] = (port(),), link: LinkStatus = SENT, spool: SpoolStatus = KEPT, age_s: float = 1.0
) -> Status:
    return Status(
        version="0", site="lokossa", gateway="2wig35enznvxcgzubyva", bed="ward 3, bed 12", epoch=4, written_unix_s=0.0,
        uptime_s=3600.0, clock="ntp", ports=list(ports), link=link, spool=spool, tasks=[],
        written_ns=NOW_NS - int(age_s * 1e9),
    )  # fmt: skip


def episode(method: str = "scan", state: str = "validated", person: Person = PERSON, key: str = "e4") -> Episode:
    return Episode(key, method, state, "n-12", "p-5e1", person, "ward 3, bed 12", NOW_NS - 10**12)  # type: ignore[arg-type]


NOBODY = Bed(
    "ward 3, bed 12", "unvalidated", Episode("e1", "none", "unvalidated", "", "", Person(), "ward 3, bed 12", 0)
)
KNOWN = Bed("ward 3, bed 12", "validated", episode(), confirm_until_ns=NOW_NS + 80_000 * 10**9)
SCANNED = Proposal("scan", "scan", PERSON, NOW_NS - 10**9, "barcode_reader")
ADMITTED = Proposal("adt", "adt", OTHER, NOW_NS - 10**11, "A01")
PROPOSED = Bed("ward 3, bed 12", "unvalidated", NOBODY.episode, [SCANNED], refused="")
CONFLICT = Bed("ward 3, bed 12", "conflict", episode(state="conflict"), [SCANNED, ADMITTED], ["scan", "adt"])
