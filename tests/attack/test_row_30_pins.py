"""Row 30: nothing is built from a package that somebody else may put in its place.

Every requirement has its version and its hashes, `--require-hashes` is how they are installed, no other index is named,
and what we ask for by name is what ADR 2 says, letter by letter.
"""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.test_tidy import ROOT

FILES = ("all.txt", "demo.txt")
PINNED = re.compile(r"([a-z0-9][a-z0-9._-]*)(\[[a-z,]+\])?==[0-9][0-9a-z.+!-]*( ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
SMALL = ("httpx",)  # the tests' own client of the pages; its row is fastapi's
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*", re.IGNORECASE)


def blocks(file: str) -> list[list[str]]:
    """Each requirement with the lines of its hashes."""
    found: list[list[str]] = []
    for line in (ROOT / "requirements" / file).read_text().splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line.startswith(" "):
            found[-1].append(line)
        else:
            found.append([line])
    return found


@pytest.mark.parametrize("file", FILES)
def test_every_requirement_is_one_version_with_its_hashes(file: str) -> None:
    assert blocks(file)
    for head, *rest in blocks(file):
        assert PINNED.fullmatch(head), head
        assert rest, f"{head}: no hash"
        for line in rest:
            assert HASH.fullmatch(line), line


@pytest.mark.parametrize("file", [*FILES, "demo.in"])
def test_no_other_index_is_named(file: str) -> None:
    text = (ROOT / "requirements" / file).read_text()
    assert not re.search(r"index-url|find-links|trusted-host|https?://|git\+|file:| @ ", text)


def test_pip_is_told_to_insist() -> None:
    lines = [line for line in (ROOT / "Makefile").read_text().splitlines() if "-m pip install" in line]
    for line in lines:
        assert "--require-hashes" in line or line.rstrip().endswith("-e ."), line
    assert sum("--require-hashes" in line for line in lines) >= 2


def asked_for() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    return {NAME.match(line).group() for line in (*project["dependencies"], *(x for one in extras for x in one))}


def test_what_is_asked_for_is_pinned_and_is_in_the_record_of_dependencies() -> None:
    pinned = {PINNED.fullmatch(head).group(1) for file in FILES for head, *_ in blocks(file)}
    records = ("0002-dependencies.md", "0027-exports.md")
    record = "".join((ROOT / "docs" / "adr" / name).read_text() for name in records)
    rows = " ".join(line.split("|")[1] for line in record.splitlines() if line.startswith("| "))
    for one in asked_for():
        assert one.replace(".", "-") in pinned, f"{one} is not pinned"
        is_named = re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", rows)
        assert is_named or one.startswith("types-") or one in SMALL, one
