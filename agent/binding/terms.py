"""The words for how it stands: the part of words.py that the gateway needs also while no page is open."""

from __future__ import annotations

from typing import Literal

import msgspec

BED_SOCKET = "bed.sock"  # in the runtime folder
ADT_SOCKET = "adt.sock"
LINE_LIMIT_BYTES = 16_384
NAME_LIMIT_LETTERS = 200

Source = Literal["scan", "adt", "location", "device"]
Method = Literal["none", "location", "scan", "adt", "device"]
Status = Literal["unvalidated", "validated", "conflict", "corrected", "wrong"]
Ended = Literal[
    "",  # it goes on
    "unbound",  # a person said so
    "wrong",  # a person said that it was somebody else
    "another",  # a person confirmed another patient
    "bound",  # nobody was bound, and a person confirmed who it is
    "unplugged",  # no device for more than 5 minutes
    "power",  # without power for more than 15 minutes, or nobody knows for how long
    "transferred",  # A02 for this bed
    "discharged",  # A03 for this bed
    "cancelled",  # A11: the admission was none
    "merged",  # A40: the number became another's
    "wristband",  # another wristband was scanned
    "moved",  # the gateway stands at another bed
    "old",  # 24 hours without a new confirmation
    "transport",  # 60 minutes under way, and no scan on arrival
]


class Person(msgspec.Struct, frozen=True):
    """Two identifiers for a person to compare: `id` as normalised, and the name as written (NFC) or the birth date.

    Text from outside: printable, no control or bidirectional override characters, at most NAME_LIMIT_LETTERS. `id` ""
    where the source names nobody. `born` is YYYY, YYYY-MM, YYYY-MM-DD or "".
    """

    id: str = ""
    name: str = ""
    born: str = ""
