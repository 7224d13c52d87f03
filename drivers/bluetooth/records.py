"""The records a device keeps, asked for through the record access control point 2A52, and how far they were said.

    request    01 01 all records · 01 03 01 n records from number n on (op code, operator, filter, number)
    answer     06 00 | op code asked | 1 done, 6 no records found, else why not      numbers little endian

The only op codes ever sent are the two that report: 01, and 07 where a service has it. 02 deletes and is in no mask.

The mark (`Reached`) is a record's number and a token of what it holds: all up to there was said. The next connection
asks from that record on, itself included, and looks at it. If it is there and holds the same, the numbers go on where
they were. If it is gone or another, the memory was erased or its numbers began again: then all records are asked for,
and all are said that this connection has not said yet; better twice than never.
Numbers may wrap: a record is new if it is ahead by less than half of the range. Near the end of the range those behind
the wrap are asked for too. The mark moves while records come in an unbroken row, so that a transfer that is cut goes on
there; where numbers jump it waits for the end, which says that all was sent. With an error it stays.
"""

from __future__ import annotations

from collections.abc import Iterator

from drivers.bluetooth.numbers import uuid
from drivers.contract import Masked, Output, Reached, Send

RACP = uuid(0x2A52)
REPORT, REPORT_COMBINED, ANSWER = 0x01, 0x07, 0x06
SINCE, CHECK, ALL = "since", "check", "all"
DONE, NO_RECORDS = 1, 6
UNABLE = (2, 3, 4, 5, 9)  # it does not know what was asked: ask for all
CODES = {
    2: "op code not supported",
    3: "invalid operator",
    4: "operator not supported",
    5: "invalid operand",
    7: "abort unsuccessful",
    8: "procedure not completed",
    9: "operand not supported",
    10: "server busy",
}
NEAR_END = 0x1000
MOST_STEP = 60
LIMIT_DIGITS = 10
LIMIT_RECORDS = 65536
ANSWER_BYTES = 4


def every(op_code: int = REPORT) -> bytes:
    return bytes((op_code, 0x01))


def since(width: int, op_code: int = REPORT) -> Masked:
    """What asks for the records from any number on."""
    head = bytes((op_code, 0x03, 0x01))
    return Masked(head + bytes(width), bytes(len(head)) + b"\xff" * width)


def refusal(answer: bytes, op_code: int = REPORT) -> str | None:
    """Why a request was not done; "" where it was. None where the value is no answer to it."""
    if answer[:3] != bytes((ANSWER, 0, op_code)):
        return None
    code = answer[3]
    return "" if code in (DONE, NO_RECORDS) else CODES.get(code, f"code {code}")


def mark_of(reached: str, width: int) -> tuple[int, str] | None:
    """Number and token of a mark; None where it is none."""
    number, _, token = reached.partition(" ")
    if not (number.isascii() and number.isdecimal() and len(number) <= LIMIT_DIGITS and token):
        return None
    return (int(number), token) if int(number) >> 8 * width == 0 else None


class Records:
    """Of one device in one connection. Numbers have `width` bytes; in a row they differ by `step`, 0: by what is seen.

    `tokens` say what a record holds. Where one token is all records' (a session), `trusted` is that the numbers go on.
    """

    def __init__(self, width: int = 2, op_code: int = REPORT, step: int = 1) -> None:
        self._width, self._op_code, self._step = width, op_code, step
        self._mark: tuple[int, str] | None = None
        self._asked = ""
        self._verified = False
        self._said: dict[int, str] = {}
        self._row: int | None = None
        self._before: tuple[int, int | None] = 0, None  # the last step and the last number

    @property
    def is_reading(self) -> bool:
        """Whether an answer is outstanding."""
        return self._asked != ""

    def open(self, reached: str, trusted: bool = False) -> Send:
        """The first request; `reached` is the mark of the connections before. What was said stays said."""
        self._mark, self._verified, self._row = mark_of(reached, self._width), False, None
        if self._mark is None:
            return self._request(ALL)
        if trusted:
            self._verify()
        return self._request(SINCE)

    def _request(self, what: str) -> Send:
        self._asked = what
        if what != SINCE or self._mark is None:
            return Send(every(self._op_code), RACP)
        head = since(self._width, self._op_code).data[: -self._width]
        return Send(head + self._mark[0].to_bytes(self._width, "little"), RACP)

    def _verify(self) -> None:
        assert self._mark is not None
        self._verified, self._row = True, self._mark[0]

    def is_news(self, number: int, token: str) -> bool:
        """Whether a record is to be said. Asked once for each that comes."""
        if self._said.get(number) == token:
            return False
        if self._mark is not None and self._asked != ALL:
            if (number, token) == self._mark:
                self._verify()
                return False
            if not self._is_ahead(number) and number != self._mark[0]:
                return False
        if len(self._said) >= LIMIT_RECORDS:
            self._said.clear()
        self._said[number] = token
        return True

    def _is_ahead(self, number: int) -> bool:
        assert self._mark is not None
        return 0 < self._distance(self._mark[0], number) < 1 << 8 * self._width - 1

    def _distance(self, start: int, end: int) -> int:
        return (end - start) % (1 << 8 * self._width)

    def told(self, number: int) -> Iterator[Reached]:
        """All of a record has been said: how far the row is unbroken."""
        self._learn(number)
        if self._row is None:
            self._row = number
            return
        before, row = self._row, self._row
        while self._step and (after := (row + self._step) % (1 << 8 * self._width)) in self._said and after != before:
            row = after
        self._row = row
        if row != before and (self._verified or self._asked == ALL):
            yield from self._reach(row)

    def _learn(self, number: int) -> None:
        """Two equal steps in a row are the step: one alone may lead to a record that is measured only now."""
        before, last = self._before
        self._before = 0 if last is None else self._distance(last, number), number
        if not self._step and self._before[0] == before and 0 < before <= MOST_STEP:
            self._step = before

    def _reach(self, number: int) -> Iterator[Reached]:
        mark = number, self._said[number]
        if mark != self._mark:
            self._mark = mark
            yield Reached(f"{number} {mark[1]}")

    def answered(self, answer: bytes) -> Iterator[Output]:
        """What the control point answers: the next request, if there is one, and how far all was said."""
        if refusal(answer, self._op_code) is None:
            return
        code, asked, self._asked = answer[3], self._asked, ""
        if code not in (DONE, NO_RECORDS):
            if asked == SINCE and code in UNABLE:
                yield self._request(CHECK)
        elif asked in (SINCE, CHECK) and not self._verified:
            self._row = None
            yield self._request(ALL)
        elif asked:
            yield from self._end(asked)

    def _end(self, asked: str) -> Iterator[Output]:
        """All that was asked for has been said."""
        newest: int | None = None
        if asked == ALL:
            newest = self._newest()
            self._mark = None if newest is None else self._mark
        elif self._mark is not None:
            start = self._mark[0]
            ahead = [number for number in self._said if self._is_ahead(number)]
            newest = max(ahead, key=lambda number: self._distance(start, number), default=None)
        self._verified, self._row = True, newest if newest is not None else self._row
        if newest is not None:
            yield from self._reach(newest)
        if asked == SINCE and self._mark is not None and (1 << 8 * self._width) - self._mark[0] <= NEAR_END:
            yield self._request(CHECK)

    def _newest(self) -> int | None:
        """Of all records; where they lie at both ends of the range they have wrapped."""
        half = 1 << 8 * self._width - 1
        if self._said and max(self._said) - min(self._said) >= half:
            return max(number for number in self._said if number < half)
        return max(self._said, default=None)
