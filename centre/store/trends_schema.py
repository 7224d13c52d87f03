"""Tables of what readings look like from afar (centre/trend.py)."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary

from centre.store.columns import key, number, table

TREND = table(
    "trend",
    key("epoch"),
    key("stream"),
    key("level"),
    key("stretch"),
    Column("data", LargeBinary, nullable=False),
)
# The finest stretches of an epoch of which a reading came since they were drafted; all its streams together.
TREND_CHANGED = table("trend_changed", key("epoch"), key("stretch"), number("times"), number("received"))
