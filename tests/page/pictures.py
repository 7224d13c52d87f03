"""The pictures of docs/page.md: `python -m tests.page.pictures [FOLDER]`, default docs. Needs chromium."""

from __future__ import annotations

import sys
from pathlib import Path

from agent.lab.browser import browser
from agent.page.state import Word
from tests.page import beds
from tests.page.looked_at import ready, screens, show, who
from tests.page.ward import bench


def main(folder: Path) -> int:
    with bench() as one, browser() as page:
        page.size(800, 480)
        show(one, page, "fr", Word.STORING)
        ready(page)
        page.look(800, 480, folder / "page.png")
        one.write(beds.status())
        one.tell(beds.CONFLICT)
        who(page, one, "en")
        screens(one, page, "en")["conflict"]()
        ready(page)
        page.look(480, 860, folder / "page-conflict.png")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(*(sys.argv[1:] or ["docs"]))))
