"""The field's own readers, imported where their warnings of each other are not our failures."""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType


def load(name: str) -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)
