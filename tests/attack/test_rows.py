"""No row of the attack list is forgotten: the table, the files, the tests it points to and the page agree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attack.rows import LISTED, ROWS, TRIED, Row, page
from tests.test_tidy import ROOT

NUMBERED = re.compile(r"test_row_(\d\d)_\w+\.py")
NODES = sorted({node for row in ROWS for node in row.where})


def found_in(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def test_there_are_thirty_five() -> None:
    assert [row.number for row in ROWS] == list(range(1, 36))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_a_row_is_tried_or_says_why_not(row: Row) -> None:
    assert bool(row.where) == (row.state != LISTED)
    assert row.rest or row.state == TRIED or row.later
    assert all(letter not in row.title + row.outcome + row.rest for letter in "|\n")


@pytest.mark.parametrize("node", NODES)
def test_what_a_row_points_to_exists_and_is_not_skipped(node: str) -> None:
    name, _, wanted = node.partition("::")
    file = ROOT / name
    assert file.is_file(), f"{name} is gone: the row is not tried any more"
    found = [test for test in found_in(file) if wanted in ("", test.name)]
    assert found, f"{node} is gone: the row is not tried any more"
    for test in found if wanted else ():
        assert not [mark for mark in map(ast.unparse, test.decorator_list) if "skip" in mark or "xfail" in mark]


@pytest.mark.parametrize("row", [row for row in ROWS if row.later], ids=lambda row: str(row.number))
def test_what_comes_later_is_taken_up_when_it_is_here(row: Row) -> None:
    here = [name for name in row.later if (ROOT / name).is_file()]
    assert row.state != LISTED or not here, f"row {row.number} can be tried now: move {here} from `later` to `where`"


def test_each_file_is_in_the_table() -> None:
    files = {
        path.name: int(found[1]) for path in Path(__file__).parent.glob("*.py") if (found := NUMBERED.match(path.name))
    }
    assert files
    for name, number in files.items():
        (row,) = (row for row in ROWS if row.number == number)
        assert any(name in node for node in row.where), f"{name} is in no row"


def test_each_file_quotes_its_row() -> None:
    for path in Path(__file__).parent.glob("test_row_*.py"):
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        assert re.match(r"Rows? \d", said), path.name


def test_the_page_is_made_from_the_table() -> None:
    written = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
    assert written == page(), "python -m tests.attack.rows > docs/attacks.md"
