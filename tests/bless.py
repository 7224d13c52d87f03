"""Write what the drivers now say into the captures: `make bless`. Read the difference and explain it in the commit."""

import sys
from pathlib import Path

from drivers import capture, registry

FOLDER = Path(__file__).parent / "captures"


def main() -> None:
    for path in sorted(FOLDER.glob("*/*.cap")):
        text = path.read_text(encoding="utf-8")
        told = capture.transcript(registry.driver(path.parent.name)(), capture.parse(text))
        new = text.partition("\n\n")[0] + "\n\n" + "\n".join(told) + "\n"
        if new != text:
            path.write_text(new, encoding="utf-8")
            sys.stderr.write(f"changed {path.relative_to(FOLDER)}\n")


if __name__ == "__main__":
    main()
