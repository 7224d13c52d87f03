"""`python -m tests.sharing`: consumers of one group, killed at random instants (SIGKILL); none lost, none double.

Real mosquitto, PostgreSQL and processes; gateways send again what no receipt names. The result is a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sharing.consumer import Process
from tests.sharing.gateways import Gateways
from tests.sharing.rig import Verdict, configured
from tests.system.centre_rig import Broker
from tests.system.test_store import Postgres

BEAT_S, AGAIN_S, HEAL_LIMIT_S = 0.2, 2.0, 240.0
LIFE_S, DEAD_S = (0.1, 4.0), (0.0, 3.0)
IDLE_S = 0.05


@dataclass(frozen=True)
class Plan:
    kills: int
    consumers: int
    gateways: int
    seed: int


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sharing", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--consumers", type=int, default=4)
    parser.add_argument("--gateways", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="append the result as a line of JSON")
    args = parser.parse_args()
    result = campaign(Plan(args.kills, args.consumers, args.gateways, args.seed))
    print(json.dumps(result))
    if args.out is not None:
        with args.out.open("a", encoding="utf-8") as out:
            out.write(json.dumps(result) + "\n")
    return 1 if result["wrong"] else 0


def campaign(plan: Plan) -> dict[str, Any]:
    """All of it, and nothing is left running."""
    begun, postgres = time.monotonic(), Postgres()
    with tempfile.TemporaryDirectory(prefix="wardlink-sharing-") as name:
        broker = Broker(Path(name), "allow_anonymous true\nmax_inflight_messages 100")
        try:
            told = _Run(plan, Path(name), broker.port, postgres.database()).run()
        finally:
            broker.stop()
            postgres.stop()
    return {"date": time.strftime("%Y-%m-%d"), **vars(plan), **told, "seconds": round(time.monotonic() - begun)}


class _Run:
    def __init__(self, plan: Plan, folder: Path, port: int, url: str) -> None:
        self._plan = plan
        self._dice = random.Random(plan.seed)
        self._gateways = Gateways(port, plan.gateways)
        self._verdict = Verdict(url)
        names = [f"c{number}" for number in range(plan.consumers)]
        self._consumers = [Process(configured(folder, port, url, self._gateways, name)) for name in names]
        self._never = threading.Event()

    def run(self) -> dict[str, Any]:
        try:
            self._gateways.begin()
            for kill in range(self._plan.kills):
                self._kill()
                if sys.stderr.isatty() or kill % 20 == 0:
                    print(f"{kill + 1} of {self._plan.kills} kills, owed {len(self._gateways.owed)}", file=sys.stderr)
            healed = self._heal()
            wrong = self._verdict.wrong(self._gateways) if healed else ["not all had its receipt in time"]
            wrong += [f"a consumer ended with {code}" for code in (one.stop() for one in self._consumers) if code]
        finally:
            for one in self._consumers:
                one.kill()
            self._gateways.close()
            self._verdict.close()
        return {"envelopes": sum(self._gateways.sealed.values()), "resent": self._gateways.resent, "wrong": wrong}

    def _kill(self) -> None:
        """One of them, after a while of life; it comes back after a while of death."""
        self._live(self._dice.uniform(*LIFE_S))
        one = self._dice.choice(self._consumers)
        one.kill()
        self._live(self._dice.uniform(*DEAD_S))
        one.start()

    def _live(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._gateways.beat()
            self._gateways.again(AGAIN_S)
            self._never.wait(BEAT_S)

    def _heal(self) -> bool:
        """Nobody is killed any more: until everything has its receipt, and nothing waits."""
        end = time.monotonic() + HEAL_LIMIT_S
        while time.monotonic() < end:
            if not self._gateways.owed and not self._verdict.waiting():
                return True
            self._gateways.again(AGAIN_S)
            self._never.wait(IDLE_S)
        return False


if __name__ == "__main__":
    sys.exit(main())
