"""The next hundred updates of all beds as a table: python frame.py mqtt://127.0.0.1:1884 (needs wardlink, pandas)."""

import sys
from collections.abc import Iterable
from itertools import islice

import pandas as pd

from centre import Subscriber
from centre.client import Update


def frame(updates: Iterable[Update]) -> pd.DataFrame:
    """Readings as they were said; what is not live is the past, and what has no `utc` has no instant."""
    table = pd.DataFrame([row for update in updates for row in update.rows()])
    table["utc"] = pd.to_datetime(table["utc"], unit="us", utc=True)
    return table


if __name__ == "__main__":
    with Subscriber(sys.argv[1], name="frame-example") as subscriber:
        print(frame(islice(subscriber, 100)))  # noqa: T201
