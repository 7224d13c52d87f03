"""The page's words in eight languages: read from `words/<language>.toml`, whole and unaltered, or not at all.

SHA256SUMS beside the files is in `sha256sum` form; a language whose file is not the one it names is not offered
(REQUIREMENTS attack row 35). In the image both lie on a partition that is verified as it is read. After an edit:
`python -m agent.page.words`.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from agent.page import inert, plurals
from config.languages import LANGUAGES

SOURCE = "en"
BESIDE = ("en", "fr")  # what drafts of safety sentences are shown with
FOLDER = Path(__file__).parent / "words"
SUMS_FILE = "SHA256SUMS"
REVIEWERS_LEAST_COUNT = 2
_OWN = ("autonym", "direction", "safety", "plural")


class WordsError(Exception):
    """A file of words is not what the manifest names, or not whole."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One on which safety rests."""

    text: str
    reviewed_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """One language. Keys of `text` are `group.key`; of `plural`, word and form."""

    language: str
    autonym: str
    direction: str
    text: dict[str, str]
    plural: dict[str, dict[str, str]]
    safety: dict[str, Sentence]

    def say(self, key: str, **values: object) -> Markup:
        """As HTML: the words are escaped, each value stands in a <bdi> of its own."""
        kept = {name: _isolated(value) for name, value in values.items()}
        return escape(self.text[key]).format(**kept)

    def count(self, word: str, n: int) -> str:
        return self.plural[word][plurals.form(self.language, n)].format(n=n)

    def is_draft(self, key: str) -> bool:
        """English is what the others are translated from."""
        return self.language != SOURCE and len(self.safety[key].reviewed_by) < REVIEWERS_LEAST_COUNT


def _isolated(value: object) -> Markup:
    return Markup("<bdi>{}</bdi>").format(value if isinstance(value, Markup) else inert.shown(str(value)))


def read(folder: Path, language: str, sums: dict[str, str]) -> Words:
    """Raises WordsError, OSError."""
    name = f"{language}.toml"
    data = (folder / name).read_bytes()
    if hashlib.sha256(data).hexdigest() != sums.get(name):
        raise WordsError(f"{name} is not the file that {SUMS_FILE} names")
    return parsed(language, tomllib.loads(data.decode("utf-8")))


def parsed(language: str, told: dict[str, Any]) -> Words:
    groups = {group: words for group, words in told.items() if group not in _OWN}
    return Words(
        language=language,
        autonym=told["autonym"],
        direction=told["direction"],
        text={f"{group}.{key}": text for group, words in groups.items() for key, text in words.items()},
        plural=told["plural"],
        safety={key: Sentence(one["text"], tuple(one["reviewed_by"])) for key, one in told["safety"].items()},
    )


def load(folder: Path = FOLDER) -> tuple[dict[str, Words], list[str]]:
    """The languages that are good, by name, and what is wrong with the others. Raises WordsError without English."""
    sums = {name: digest for digest, _, name in map(_line, (folder / SUMS_FILE).read_text("ascii").splitlines())}
    good: dict[str, Words] = {}
    wrong: list[str] = []
    for language in LANGUAGES:
        try:
            good[language] = read(folder, language, sums)
        except (WordsError, OSError) as error:
            wrong.append(str(error))
    if SOURCE not in good:
        raise WordsError("; ".join(wrong))
    return good, wrong


def _line(line: str) -> tuple[str, str, str]:
    return line.partition("  ")


def sums(folder: Path = FOLDER) -> str:
    """What SUMS_FILE must hold."""
    files = (folder / f"{language}.toml" for language in sorted(LANGUAGES))
    return "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)


if __name__ == "__main__":
    (FOLDER / SUMS_FILE).write_text(sums(), "ascii")
