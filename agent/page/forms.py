"""What a form of ours sent: its fields, and the deed that they ask for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from agent.binding.words import (
    PERFORMER_LIMIT_LETTERS,
    BindLate,
    Choose,
    Confirm,
    Deed,
    Dismiss,
    Refusal,
    Scanned,
    Transport,
    Typed,
    Unbind,
    Wrong,
)

FIELDS_LIMIT_COUNT = 12
Making = Callable[[int], Deed]

REFUSED: Mapping[Refusal, str] = {
    "no performer": "performer",
    "no such proposal": "proposal",
    "no identifier": "identifier",
    "conflict": "conflict",
    "no conflict": "no_conflict",
    "nobody bound": "nobody",
    "bound already": "bound",
    "no such episode": "episode",
    "too late": "late",
    "not anonymous": "anonymous",
    "scan on arrival": "arrival",
    "form": "form",
    "words": "words",
    "storage": "storage",
}


def fields(body: bytes) -> dict[str, str]:
    """Of `application/x-www-form-urlencoded`; empty where it is not. The first of a name counts."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_LIMIT_COUNT, errors="replace"
        )
    except ValueError:
        return {}
    return dict(reversed(pairs))


def performer(text: str) -> str:
    """Initials or a badge as they are kept: printable, and not too long."""
    kept = "".join(one for one in text.strip() if one.isprintable())
    return kept[:PERFORMER_LIMIT_LETTERS]


def deed(sent: Mapping[str, str], who: str) -> Making | None:
    """How to make the deed with its number; None where the form asks for none that is known."""

    def said(name: str) -> str:
        return sent.get(name, "").strip(" \t\r\n")  # a code may end in a separator

    makers: dict[str, Making] = {
        "confirm": lambda n: Confirm(n, said("proposal"), who),
        "choose": lambda n: Choose(n, said("proposal"), who),
        "unbind": lambda n: Unbind(n, who),
        "wrong": lambda n: Wrong(n, said("episode"), who, said("proposal")),
        "bind_late": lambda n: BindLate(n, said("episode"), said("proposal"), who),
        "transport": lambda n: Transport(n, who),
        "typed": lambda n: Typed(n, said("id"), said("name"), said("born")),
        "scanned": lambda n: Scanned(n, said("code")),
        "dismiss": lambda n: Dismiss(n, said("proposal")),
    }
    return makers.get(said("deed"))
