"""msgspec, as small as it can be had: where typing_extensions is installed it imports that, for Pythons we do not run.

Half a MiB of the 60 that a gateway may have. An empty place stands in while msgspec is imported, and is gone after.
"""

from __future__ import annotations

import sys

_MODULES: dict[str, object] = sys.modules  # type: ignore[assignment]
_NAME = "typing_extensions"
_MODULES.setdefault(_NAME, None)

import msgspec  # noqa: E402, F401

if _MODULES[_NAME] is None:
    del _MODULES[_NAME]
