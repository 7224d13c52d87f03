"""A bed for tests: a binding with a clock, people who do things, and a reader of its own of what was said."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.binding import codes, deeds, words
from agent.binding.kept import Kept, Moment, Rules
from agent.binding.state import MINUTE_NS, Binding, begun, resumed
from agent.binding.words import Adt, Person, Refusal, Said
from wire.records import Association

BOOT = b"boot one 16 byte"
X, Y = Person("X-1", "Иванова Айгүл", "1960-05-04"), Person("Y-2", "Ouédraogo Zoé", "1981-12-31")


def name(number: str) -> str:
    """A pseudonym that a test can read."""
    return f"p-{number}"


@dataclass
class Bedside:
    """`at` is minutes since the machine started."""

    epoch: int = 7
    at: float = 1.0
    bed: str = "bed 3"
    said: list[Association] = field(default_factory=list)
    kept: Kept | None = None

    def __post_init__(self) -> None:
        self.binding = Binding(self.kept or begun(self.epoch, self.now, self.bed), self.epoch, name, self.rules)

    @property
    def rules(self) -> Rules:
        return Rules("gateway", self.bed)

    @property
    def now(self) -> int:
        return int(self.at * MINUTE_NS)

    @property
    def bound(self) -> str:
        return self.binding.course.person.id

    @property
    def status(self) -> str:
        return self.binding.course.status

    def wait(self, minutes: float) -> Bedside:
        """In steps of half a minute, as the daemon's beat would see it."""
        until = self.at + minutes
        while self.at < until:
            self.at = min(until, self.at + 0.5)
            self.binding.tick(self.now)
        return self.settle()

    def settle(self) -> Bedside:
        self.said += self.binding.kept.owed
        self.binding.kept.owed.clear()
        return self

    def do(self, said: Said) -> Refusal:
        why = deeds.do(self.binding, said, self.now)
        self.settle()
        return why

    def key(self, source: str) -> str:
        return next(side.key for side in self.binding.kept.sides if side.source == source)

    def says(self, source: str, person: Person) -> Bedside:
        """One of the four sources says who it is."""
        if source == "scan":
            self.binding.scanned(person, self.now)
        elif source == "adt":
            self.binding.told(Adt(0, "A01", person), self.now)
        elif source == "device":
            self.binding.hears("device", person, self.now, "usb-1")
        else:
            assert self.do(words.Typed(0, person.id, person.name, person.born)) == ""
        return self.settle()

    def confirm(self, source: str, person: Person | None = None, performer: str = "n-12") -> Refusal:
        if person is not None:
            self.says(source, person)
        return self.do(words.Confirm(0, self.key(source), performer))

    def starts_again(self, minutes: float, boot: bytes = BOOT, **known: object) -> Bedside:
        """The gateway was off for so long; after a power cut the monotonic clock begins anew."""
        kept = self.binding.kept
        kept.boot, kept.alive_ns, kept.utc = BOOT, self.now, known.get("then")  # type: ignore[assignment]
        after = Bedside(self.epoch + 1, self.at + minutes if boot == BOOT else 0.5, str(known.get("bed", self.bed)))
        after.said = self.said
        after.binding = Binding(kept, after.epoch, name, after.rules)
        resumed(after.binding, after.now, boot, known.get("utc"))  # type: ignore[arg-type]
        return after.settle()


def whose(said: list[Association], moment: Moment) -> tuple[str, str]:
    """(status, pseudonym) at (epoch, t): the last that was said of it. As docs/formats.md says, and no code of ours."""
    told = ("unvalidated", "")
    for one in said:
        assert one.since is not None
        if one.since <= moment and (one.until is None or moment < one.until):
            told = (one.status, "" if one.status == "wrong" else one.pseudonym)
    return told


def wristband(code: str) -> str:
    return codes.wristband(code, ["LK-######="], "mod10")
