"""Every answer of the interface, as types: OpenAPI is made from these, and the socket says the same shapes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Grade = Annotated[
    Literal["A", "B", "C", "D", "X"],
    Field(description="Quality of `utc`: A within 50 ms, B 1 s, C 60 s, D a wider known bound, X unknown"),
]
Ratio = Annotated[tuple[int, int], Field(description="Numerator and denominator; exact where a float would not be")]
Gateway = Annotated[str, Field(description="Gateway id, [a-z0-9-]", max_length=24)]
Epoch = Annotated[
    int, Field(description="One start of the gateway's daemon; `t`, `stream` and `session` count within it")
]
StreamNumber = Annotated[int, Field(description="Number of the stream within the epoch")]
Version = Annotated[
    str, Field(description="Which algorithm and facts the times of this answer were made of; the same make the same")
]
Now = Annotated[int, Field(description="The centre's clock as this was said, microseconds since 1970")]


class Answer(BaseModel):
    """A closed shape: no field that is not described here."""

    model_config = ConfigDict(extra="forbid")


class Problem(Answer):
    """Why there is no answer."""

    error: str = Field(description="What is wrong, in one line")
    hint: str = Field(description="What to do about it")


class When(Answer):
    """A moment, as the gateway counted it and as UTC is known now (it may become better with later anchors)."""

    t: int = Field(description="Microseconds of the gateway's monotonic clock within the epoch")
    utc: int | None = Field(description="Microseconds since 1970; null where there is no anchor: then it is no instant")
    error: int | None = Field(description="Bound of the error of `utc` in microseconds; null where `utc` is")
    earliest: int | None = Field(description="Not before this, microseconds since 1970; null where nobody knows")
    latest: int | None = Field(description="Not after this, microseconds since 1970; null where nobody knows")
    grade: Grade


class RoomNow(Answer):
    """How the gateway's spool stood for one class of envelopes, as it said last."""

    word: Literal["key", "vital", "wave"] = Field(description="Class: key (what opens the others), vital, wave")
    utc: int = Field(description="When it said so, centre's clock, microseconds since 1970")
    waiting: int = Field(description="Envelopes the gateway had no receipt for")
    seconds: int | None = Field(
        description="How long it had room, at its rate then, before the oldest without a receipt must give way; "
        "null where the gateway did not know"
    )


class BedNow(Answer):
    """One gateway at its bed, as last heard."""

    site: str = Field(description="Site id")
    gateway: Gateway
    bed: str = Field(description="Name of the bed; empty where nobody named it")
    online: bool = Field(description="What presence on the broker last said; a hint, not a promise")
    heard: int | None = Field(description="When data last came, centre's clock, microseconds since 1970; null: never")
    epoch: Epoch
    method: str = Field(description="How the patient was bound: location, scan, device, adt, none; empty: not said yet")
    status: str = Field(description="unvalidated, validated, conflict, corrected, wrong; empty: not said yet")
    pseudonym: str = Field(description="The patient under the site's key; empty where nobody is bound")
    missing: int = Field(description="Envelopes the ledger lacks and nobody has declared lost (may still come)")
    lost: int = Field(description="Envelopes declared lost by the gateway")
    duplicates: int = Field(description="Envelopes that came more than once and were stored once")
    unproven: int = Field(description="Envelopes here that no signed manifest proves, or not yet")
    refuted: int = Field(description="Envelopes in stretches that are not what the gateway's manifest lists")
    conflicts: int = Field(description="Genuine envelopes kept apart, as others were here under their names")
    rooms: list[RoomNow] = Field(description="Room in the gateway's spool, by class; empty where it has not said")
    error: int | None = Field(description="What its clock may be off at its newest data, microseconds; null: unknown")
    grade: Grade
    source: str = Field(description="Where its time comes from: ntp, mqtt, rtc, gnss, operator ...; empty: nowhere")


class Beds(Answer):
    """All beds this centre knows."""

    now: Now
    beds: list[BedNow] = Field(description="In the order of site, bed, gateway")


class StreamNow(Answer):
    """One channel of one device session. A wave where `rate` is above 0, else a numeric."""

    stream: StreamNumber
    session: int = Field(description="Number of the device session within the epoch")
    channel: str = Field(description="Channel key of the vocabulary, mdc:<code>, or <driver>:<label of the device>")
    mdc: int = Field(description="IEEE 11073-10101 context-free code; 0 where there is none")
    unit: str = Field(description="UCUM unit, the device's own")
    rate: Ratio = Field(description="Samples a second; [0, 1] for a numeric")
    gain: Ratio = Field(description="Physical value = (sample - offset) * gain")
    offset: Ratio = Field(description="Physical value = (sample - offset) * gain")
    bits: int = Field(description="Width of the device's converter; 0 where unknown")
    filter: str = Field(description="The device's own name for its filter mode; empty where it does not say")
    driver: str = Field(description="Driver that heard it")
    integrity: str = Field(description="What protects a frame on the device's line: none, sum, crc")
    maker: str = Field(description="What the device says; empty where it does not")
    model: str = Field(description="What the device says; empty where it does not")
    serial: str = Field(description="What the device says; empty where it does not")
    port: str = Field(description="Port of the gateway")


class Streams(Answer):
    """The catalogue of an epoch."""

    now: Now
    gateway: Gateway
    epoch: Epoch | None = Field(description="The epoch; null where the gateway has said no catalogue yet")
    epochs: list[int] = Field(description="All epochs of which something is stored, oldest first")
    streams: list[StreamNow] = Field(description="In the order of their numbers")


class MarkedSamples(Answer):
    """What the device says about some samples of a run."""

    at: int = Field(description="Counts from the first sample of the run")
    kind: str = Field(description="beat, pace, lead-off, invalid, saturated ...")
    count: int = Field(description="For how many samples")


class WaveRun(When):
    """Samples without a hole between them. `t` is when the last one arrived at the gateway."""

    epoch: Epoch
    stream: StreamNumber
    first: int = Field(description="Index of the first sample within the stream")
    samples: list[int] = Field(description="The device's integers, as sent")
    marks: list[MarkedSamples] = Field(description="What the device says about them")


class Hole(Answer):
    """Samples that are not there."""

    stream: StreamNumber
    first: int = Field(description="Index of the first absent sample")
    last: int | None = Field(description="One past the last absent sample; null where the gateway does not know")
    cause: str = Field(
        description="What the gateway declared (power, device, parse ...), or not-received: may still come"
    )


class WaveRange(Answer):
    """A range of a wave: runs and holes together cover `first` to `last` exactly once."""

    now: Now
    mapping: Version
    wave: StreamNow = Field(description="What the integers mean")
    first: int = Field(description="Index of the first sample covered")
    last: int = Field(description="One past the last sample covered")
    end: int = Field(description="One past the newest sample stored of this stream")
    next: int | None = Field(description="Ask again from here; null where the whole range is covered")
    runs: list[WaveRun] = Field(description="In the order of `first`")
    holes: list[Hole] = Field(description="In the order of `first`")


class PaceNow(Answer):
    """How fast a wave really runs, of its newest day: by count and arrival, never by resampling."""

    now: Now
    epoch: Epoch
    stream: StreamNumber
    nominal: Ratio = Field(description="Samples a second, as the device says")
    measured: float | None = Field(
        description="Samples a second of our clock; null over less than a minute, or where it is beyond all belief"
    )
    ppm: float | None = Field(description="`measured` against `nominal`, parts per million; null where it is")
    index: int | None = Field(description="Index of a sample that was taken at `t`; null where there is none")
    t: int | None = Field(description="When it was taken; others (index - this) / rate later. Null where there is none")
    samples: int = Field(description="Samples without a gap of unknown size, that this was measured over")


class Measured(Answer):
    """When a reading was taken by the device's own clock: it may come from the device's memory."""

    said: str = Field(description="What the device's clock said, as it gave it: no zone, or a count")
    utc: int | None = Field(description="Microseconds since 1970, where the device's clock proves it; else null")
    error: int | None = Field(description="Bound of the error of `utc` in microseconds; null where `utc` is")
    earliest: int | None = Field(description="Not before this; null where nobody knows")
    latest: int | None = Field(description="Not after this; null where nobody knows")
    grade: Grade


class NumericAt(When):
    """A reading."""

    epoch: Epoch
    taken: Measured | None = Field(
        description="When it was taken, where the device says so: `t` and `utc` are only when it was told. Null: now"
    )
    stream: StreamNumber
    value: str | None = Field(description="Decimal digits as the device said them; null where there is no value")
    why: str = Field(description="Why there is no value, or why it is doubted; empty for a plain value")


class Numerics(Answer):
    """Readings of an epoch."""

    now: Now
    mapping: Version
    epoch: Epoch
    numerics: list[NumericAt] = Field(description="In the order of `t`")


class NoticeAt(When):
    """An alarm, status, time or session change, as said by the device. Relayed, never made; never sounded here."""

    epoch: Epoch
    session: int = Field(description="Number of the device session within the epoch")
    kind: str = Field(description="alarm, status, device-time, session")
    code: str = Field(description="The device's own code")
    phase: str = Field(description="on, off, latched; for a session: opened, closed")
    text: str = Field(description="The device's own text")
    channel: str = Field(description="Channel it is about; empty for the whole device")
    priority: str = Field(
        description="As the device said it: high, medium, low, technical, unknown; empty for no alarm"
    )


class Notices(Answer):
    """Notices of an epoch."""

    now: Now
    mapping: Version
    epoch: Epoch
    annunciation: Literal["none"] = Field(
        default="none", description="Nothing here sounds, flashes or replaces an alarm"
    )
    notices: list[NoticeAt] = Field(description="In the order of `t`")


class DeclaredGap(When):
    """Samples of a stream that never came, declared by the gateway at `t`."""

    stream: StreamNumber
    first: int = Field(description="Index of the first absent sample")
    count: int | None = Field(description="How many; null where the gateway does not know")
    cause: str = Field(description="power, device, parse, overflow, storage, policy")


class Ledger(Answer):
    """The centre's account of what came, twice, or not at all."""

    now: Now
    gateway: Gateway
    epoch: Epoch | None = Field(description="The epoch of `gaps`; null where there is no catalogue yet")
    mapping: Version | None = Field(description="Of the times of `gaps`; null where there is no catalogue yet")
    missing: int = Field(description="Envelopes that are not there and that nobody has declared lost")
    lost: int = Field(description="Envelopes declared lost")
    duplicates: int = Field(description="Envelopes that came again and were stored once")
    unproven: int = Field(description="Envelopes here that no signed manifest proves, or not yet")
    refuted: int = Field(description="Envelopes in stretches that are not what the gateway's manifest lists")
    conflicts: int = Field(description="Genuine envelopes kept apart, as others were here under their names")
    gaps: list[DeclaredGap] = Field(description="Declared gaps of the epoch, in the order of `t`")


class Health(Answer):
    """The page process answers and can read its store."""

    state: Literal["ok"] = Field(description="ok")
    beds: int = Field(description="How many beds the store knows")


class UpdateSaid(Answer):
    """Socket: what one envelope of the gateway said."""

    kind: Literal["update"] = Field(default="update", description="update")
    now: Now
    mapping: Version
    live: bool = Field(description="False for what came late from a spool: never to be shown as the present")
    catalogue: bool = Field(description="True where streams changed: read them again")
    waves: list[WaveRun] = Field(description="New samples")
    numerics: list[NumericAt] = Field(description="New readings")
    notices: list[NoticeAt] = Field(description="New notices")
    holes: list[Hole] = Field(description="Newly declared gaps")


class PresenceSaid(Answer):
    """Socket: the bed as the store knows it; at once, when it changes, and every few seconds."""

    kind: Literal["presence"] = Field(default="presence", description="presence")
    now: Now
    bed: BedNow = Field(description="The bed")


class DroppedSaid(Answer):
    """Socket: this reader was too slow and the oldest updates were dropped here. The store has them."""

    kind: Literal["dropped"] = Field(default="dropped", description="dropped")
    now: Now
    updates: int = Field(description="How many updates were dropped since the socket opened")
