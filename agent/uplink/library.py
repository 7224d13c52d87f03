"""paho-mqtt, as small as it can be had: it imports urllib.request, and so http and email, to ask for SOCKS proxies.

We have none (PySocks is no dependency), and 1.4 MiB is a fortieth of the gateway. An empty module stands in while paho
is imported, and is gone afterwards.
"""

from __future__ import annotations

import sys
from types import ModuleType

_STAND_IN = ModuleType("urllib.request")
sys.modules.setdefault("urllib.request", _STAND_IN)

import paho.mqtt.client as mqtt  # noqa: E402

if sys.modules["urllib.request"] is _STAND_IN:
    del sys.modules["urllib.request"]

__all__ = ["mqtt"]
