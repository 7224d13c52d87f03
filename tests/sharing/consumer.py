"""A consumer that shares, until its stdin ends: folder, port, store, name, gateways."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from centre.config import Config, Gateway
from centre.run import run


def main() -> int:
    folder, port, url, name, *gateways = sys.argv[1:]
    config = Config(
        broker=f"mqtt://127.0.0.1:{port}",
        keys=str(Path(folder)),
        name=name,
        share="ward",
        store=url,
        listen="",
        gateways=tuple(Gateway(one, "north") for one in gateways),
    )
    ending = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        ending.set()

    threading.Thread(target=watch, daemon=True).start()
    return run(config, ending)


sys.exit(main())
