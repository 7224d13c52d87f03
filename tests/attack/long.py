"""What takes longer than a minute of `make test` may bear is tried by `make attack` alone."""

from __future__ import annotations

import os

import pytest

IS_LONG = os.environ.get("WARDLINK_ATTACK") == "long"
long = pytest.mark.skipif(not IS_LONG, reason="WARDLINK_ATTACK=long, as `make attack` sets it")
