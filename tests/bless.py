"""Write what the drivers now say into the captures: `make bless`. Read the difference and explain it in the commit."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # this checkout, wherever the package is installed

from drivers import capture, registry

FOLDER = Path(__file__).parent / "captures"


def is_heard(line: str) -> bool:
    """Bytes of the device, with a characteristic at the arrow or without."""
    return line.split(maxsplit=2)[1:2] != [] and line.split(maxsplit=2)[1].startswith("<")


def annotated(told: Iterable[str], before: Iterable[str]) -> Iterator[str]:
    """What is told, with the comments that stood there: each in front of the bytes that it stood in front of."""
    comments: list[list[str]] = [[]]
    for line in before:
        if line.startswith("#"):
            comments[-1].append(line)
        elif is_heard(line):
            comments.append([])
    for line in told:
        if is_heard(line):
            yield from comments.pop(0)
        yield line
    yield from comments[0]


def main() -> None:
    for path in sorted(FOLDER.glob("*/*.cap")):
        text = path.read_text(encoding="utf-8")
        told = capture.transcript(registry.driver(path.parent.name)(), capture.parse(text))
        head, _, body = text.partition("\n\n")
        new = head + "\n\n" + "\n".join(annotated(told, body.splitlines())) + "\n"
        if new != text:
            path.write_text(new, encoding="utf-8")
            sys.stderr.write(f"changed {path.relative_to(FOLDER)}\n")


if __name__ == "__main__":
    main()
