"""Row 20: no pattern takes long, whatever it is given: each is tried on what it was made to choke on.

All patterns of the packages are found (compiled in modules, or written into a call), and for each the strings that
make a backtracking matcher work are made from the pattern itself: every repeated part pumped up to the limit, then an
end that does not fit. The limit is what the caller lets in: 64 KiB, or where a table here says so, the line or frame
that the driver keeps at most (read from the driver).
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import time
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import pytest

import agent
import centre
import config
import drivers
import wire
from drivers.devices import aandd_pbt, bbraun_bcc, masimo_ascii1, nellcor_n560
from tests.test_tidy import PACKAGES, ROOT, name

parser: Any = importlib.import_module("re._parser")

LIMIT_BYTES = 65536
GUARD_S = 0.1  # of one match
SHORT_BYTES, SHORT_S = 2048, 0.001
TRIES_LIMIT_COUNT = 12
LATER = {"agent.cli.demo", "agent.ports.radio.agent1"}
INPUT_BYTES = {  # what the module gives its patterns at most
    "drivers.devices.nellcor_n560": nellcor_n560.LINE_LIMIT_BYTES,
    "drivers.devices.masimo_ascii1": masimo_ascii1.LINE_LIMIT_BYTES,
    "drivers.devices.aandd_pbt": aandd_pbt.LENGTHS.stop,
    "drivers.devices.bbraun_bcc": bbraun_bcc.LIMIT_BYTES,
}


def modules() -> Iterator[ModuleType]:
    for package in (agent, wire, drivers, centre, config):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name not in LATER and "__main__" not in found.name:
                yield importlib.import_module(found.name)


def compiled() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Patterns that modules hold, also in their tables."""
    for module in modules():
        for value in vars(module).values():
            for one in value.values() if isinstance(value, dict) else (value,):
                if isinstance(one, re.Pattern):
                    yield module.__name__, one


def written() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Patterns that stand in a call of `re`; those made of variables are tried by the tests of who makes them."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.") and node.args):
                    continue
                if isinstance(node.args[0], ast.Constant):
                    yield name(path)[:-3].replace("/", "."), re.compile(node.args[0].value)


@cache
def patterns() -> list[Any]:
    found = {(where, one.pattern, one.flags): one for where, one in (*compiled(), *written())}
    return [pytest.param(where, one, id=f"{where} {one.pattern!r:.60}") for (where, _, _), one in found.items()]


def sample(tree: Any, times: int = 0) -> str:
    """A text that the parsed pattern takes, each repeat `times` over, or as few times as it must."""
    out = ""
    for op, arg in tree:
        out += _one(str(op), arg, times)
    return out


def _one(op: str, arg: Any, times: int) -> str:
    if op in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        low, high, body = arg
        return sample(body, times) * max(low, min(times, int(high) if high is not parser.MAXREPEAT else times))
    if op == "SUBPATTERN":
        return sample(arg[3], times)
    if op == "BRANCH":
        return sample(arg[1][0], times)
    if op == "LITERAL":
        return chr(arg)
    if op == "NOT_LITERAL":
        return "a" if chr(arg) != "a" else "b"
    if op == "ANY":
        return "a"
    if op == "IN":
        return _of_set(arg)
    return ""


def _of_set(items: list[Any]) -> str:
    """A letter of the set that another repeat may take too, if there is one."""
    taken = re.compile("|".join(map(_class_text, items)) or "a")
    negated = str(items[0][0]) == "NEGATE"
    for letter in ("1", "A", "a", " ", "0", "-", ".", "\x80", "\x01", "_", "F", "\\", "["):
        if (taken.fullmatch(letter) is not None) != negated:
            return letter
    return next(chr(code) for code in range(256) if (taken.fullmatch(chr(code)) is not None) != negated)


def _class_text(item: tuple[Any, Any]) -> str:
    op, arg = str(item[0]), item[1]
    if op == "LITERAL":
        return re.escape(chr(arg))
    if op == "RANGE":
        return f"[{re.escape(chr(arg[0]))}-{re.escape(chr(arg[1]))}]"
    classes = {"CATEGORY_DIGIT": r"\d", "CATEGORY_SPACE": r"\s", "CATEGORY_WORD": r"\w"}
    classes |= {"CATEGORY_NOT_DIGIT": r"\D", "CATEGORY_NOT_SPACE": r"\S", "CATEGORY_NOT_WORD": r"\W"}
    return classes.get(str(arg), r"\Z(?!)")


def repeats(tree: Any) -> Iterator[Any]:
    """Every repeated part, however deep."""
    for op, arg in tree:
        if str(op) in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            yield arg[2]
            yield from repeats(arg[2])
        elif str(op) == "SUBPATTERN":
            yield from repeats(arg[3])
        elif str(op) == "BRANCH":
            for branch in arg[1]:
                yield from repeats(branch)


def hostile(pattern: re.Pattern[Any]) -> Iterator[tuple[str, str, str]]:
    """(how it begins, what goes on and on, how it ends wrong)."""
    tree = parser.parse(pattern.pattern, pattern.flags)
    whole = sample(tree, 1)
    for body in list(repeats(tree))[:TRIES_LIMIT_COUNT]:
        for part in {sample(body, 1), sample(body, 3)} - {""}:
            for lead in {"", whole, whole[: len(whole) // 2]}:
                yield lead, part, "\x00!"
            yield "", part, " "
    for letter in " 1Aa\n":
        yield "", letter, "\x00"


def long(lead: str, part: str, end: str, limit: int) -> str:
    return (lead + part * (limit // len(part)))[: limit - len(end)] + end


def slowest_s(pattern: re.Pattern[Any], limit: int) -> tuple[float, str]:
    """Longer and longer while it takes any time at all: what is linear is over with the first and shortest."""
    worst = (0.0, "")
    for parts in hostile(pattern):
        size = min(limit, SHORT_BYTES)
        while (took := took_s(pattern, long(*parts, size))) > SHORT_S * size / SHORT_BYTES and took < GUARD_S:
            if size == limit:
                break
            size = min(limit, 2 * size)
        worst = max(worst, (took, long(*parts, 80)))
    return worst


def took_s(pattern: re.Pattern[Any], text: str) -> float:
    data = text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")
    slowest = 0.0
    for act in (pattern.match, pattern.fullmatch):
        begun = time.thread_time()
        act(data)
        slowest = max(slowest, time.thread_time() - begun)
    return slowest


@pytest.mark.parametrize(("where", "pattern"), patterns())
def test_every_pattern_is_quick_on_what_was_made_to_choke_it(where: str, pattern: re.Pattern[Any]) -> None:
    took, text = slowest_s(pattern, INPUT_BYTES.get(where, LIMIT_BYTES))
    assert took < GUARD_S, f"{took:.2f} s on {text!r}"


def test_the_search_for_patterns_finds_them_and_the_guard_would_bite() -> None:
    assert len(patterns()) > 40
    evil = re.compile(r"(a+)+b")
    assert ("", "a", "\x00!") in hostile(evil)
    assert slowest_s(re.compile(r"\s*\d+\s*\d+\s*x"), LIMIT_BYTES)[0] > GUARD_S
