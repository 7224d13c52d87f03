"""One gateway and its many deaths: fed, killed, started again, and its books closed now and then.

    python -m tests.crash.lane FOLDER --seed S --kills N [--small] [--broker PORT] ...

A process of its own without threads, so that each life is a fork of it with everything imported. Every so many lives
the program is started from its file instead. Prints a JSON line after each settling; the last one has `"ended": true`.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import select
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from agent.lab import keyring
from agent.spool import check_folder, read_folder
from tests.crash.account import Account
from tests.crash.centre import Collector
from tests.crash.feeder import Feeder
from tests.crash.life import SMALL_LIMITS, live
from tests.crash.plan import Phase, Plan, draw
from wire import keys

ROOT = Path(__file__).parents[2]
FRAMES_A_SECOND = 600
TURN_S = 0.01
LIFE_LIMIT_S = 30.0  # generous, for a machine that does other things
QUIET_TURNS = 20  # nothing to read for so long: the kernel's own queue is empty too
LOG_LIMIT_BYTES = 1 << 20


class LaneError(Exception):
    """A gateway did what it must never do; the folder is kept."""


@dataclass
class Wish:
    folder: Path
    seed: str
    kills: int
    small: bool
    broker: int  # 0: none
    harvest_lives: int
    settle_lives: int
    exec_lives: int


class Lane:
    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        folder = wish.folder
        folder.mkdir(parents=True, exist_ok=True)
        ring = keyring.make(folder / "keys")
        self.config = folder / "gateway.toml"
        self.spool = folder / "state" / "spool"
        self.runtime = folder / "run"
        self.feeder = Feeder(folder / "oximeter")
        self.config.write_text(
            f'site = "kills"\nbroker = "mqtt://127.0.0.1:{wish.broker or 1}"\nkeys = "{ring.gateway}"\n'
            f'state = "{folder / "state"}"\nruntime = "{self.runtime}"\nconfirm = "broker"\ninterval_s = 0.25\n'
            f'[[port]]\npath = "{self.feeder.path}"\ndriver = "contec_v7"\n'
            "[spool]\nkey_mib = 8\nvital_mib = 8\nwave_mib = 8\n"
        )
        secret = keys.recipient_secret((ring.centre / "recipient.key").read_text())
        self.account = Account(ring.gateway_id, secret)
        self.centre = Collector(wish.broker, ring.gateway_id, self.account.centre.take) if wish.broker else None
        self.log = os.open(folder / "gateway.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self.witness, self._tells = os.pipe()
        os.set_blocking(self.witness, False)
        os.set_inheritable(self._tells, True)
        self.phases: Counter[str] = Counter()
        self.lives = self.execs = self.kills = 0
        self._pid = 0
        self._witnessed = False
        self._heard = b""
        self._whole: list[int] = []  # all that was ever written, for the centre's books
        self._phase = Phase()
        self._fed_at = time.monotonic()

    # one life

    def begin(self, execs: bool) -> None:
        """Start the gateway."""
        self.lives += 1
        self._phase = Phase()
        self._witnessed = self.wish.small or not execs
        if os.fstat(self.log).st_size > LOG_LIMIT_BYTES:
            os.ftruncate(self.log, 0)
        if execs:
            self.execs += 1
            self._pid = self._exec()
            return
        self._pid = os.fork()
        if self._pid == 0:
            self._be_born()

    def _exec(self) -> int:
        """The program as it is installed; a small one has its witness and limits."""
        words = ["agent.cli.entry", "run", "--config", str(self.config)]
        if self.wish.small:
            words = ["tests.crash.life", str(self.config), "--small", "--witness", str(self._tells)]
        said = [(os.POSIX_SPAWN_DUP2, self.log, descriptor) for descriptor in (1, 2)]
        return os.posix_spawn(sys.executable, [sys.executable, "-m", *words], os.environ, file_actions=said)

    def _be_born(self) -> None:
        """In the child: run and never come back."""
        code = 70
        try:
            os.dup2(self.log, 1)
            os.dup2(self.log, 2)
            for descriptor in (*self.feeder.descriptors, self.witness):
                os.close(descriptor)
            if self.centre is not None:
                self.centre.let_go()
            live(self.config, self._tells, self.wish.small)
            code = 0
        except BaseException:  # noqa: BLE001  a fork must end here, whatever happens
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def run_life(self, plan: Plan) -> None:
        """Start it, feed it, kill it as planned."""
        self.begin(plan.execs)
        began = time.monotonic()
        while (wait_s := plan.wait_s(self._phase, began, time.monotonic())) > 0:
            flood, plan.flood = (plan.flood, 0) if self._phase.is_open else (0, plan.flood)
            if self.turn(wait_s, flood):
                break
        if plan.term_first_s is not None:
            self._terminate()
            until = time.monotonic() + plan.term_first_s
            while (wait_s := until - time.monotonic()) > 0 and not self.turn(wait_s):
                continue
        os.kill(self._pid, signal.SIGKILL)
        self._bury()

    def _terminate(self) -> None:
        os.kill(self._pid, signal.SIGTERM)
        self._phase.shutdown = True

    def _bury(self) -> None:
        """Wait for its end. Ending by itself is for those who were told to."""
        _, status = os.waitpid(self._pid, 0)
        self.hear()
        where = self._phase.name if self._witnessed else "unwitnessed"
        self._pid = 0
        signalled = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if signalled:
            self.feeder.died()
        if signalled == signal.SIGKILL:
            self.kills += 1
            self.phases[where] += 1
        elif not self._phase.shutdown or (status and signalled != signal.SIGTERM):  # asked before it could hear
            raise LaneError(f"life {self.lives} ended by itself, status {status}, while {where}")

    def turn(self, wait_s: float, flood: int = 0, feeds: bool = True) -> bool:
        """Feed, hear the witness, let the centre receive; whether the gateway is no more."""
        waits = [self.witness] + ([self.centre.socket] if self.centre else [])
        select.select(waits, [], [], max(0.0, min(wait_s, TURN_S)))
        now = time.monotonic()
        due = int((now - self._fed_at) * FRAMES_A_SECOND)
        if due and feeds:
            self._fed_at = now
            self.feeder.feed(min(due, FRAMES_A_SECOND // 10) + flood)
        self.hear()
        if self.centre is not None:
            self.centre.receive()
        return os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def hear(self) -> None:
        """What the witness wrote, whole lines."""
        try:
            while part := os.read(self.witness, 65536):
                self._heard += part
        except BlockingIOError:
            *lines, self._heard = self._heard.split(b"\n")
        for line in lines:
            words = line.decode().split()
            self._phase.note(words[0], time.monotonic())
            if words[0] == "kept":
                self.account.kept(words[1:])

    # the books

    def harvest(self) -> None:
        limits = SMALL_LIMITS if self.wish.small else None
        if self.centre is not None:
            self.centre.receive()
        if self.spool.exists():
            self.account.harvest(read_folder(self.spool, limits=limits))

    def settle(self, until_centre: bool = False) -> None:
        """A life that reads all there is and ends well; then everything must agree."""
        self.begin(execs=False)
        limit = time.monotonic() + LIFE_LIMIT_S
        quiet = 0
        while quiet < QUIET_TURNS or (until_centre and not self._centre_has_all()):
            select.select([self.witness], [], [], TURN_S)
            self.hear()
            if self.centre is not None:
                self.centre.receive()
            quiet = quiet + 1 if self.feeder.flush() and not self.feeder.unread_bytes() and self._phase.is_open else 0
            if time.monotonic() > limit:
                raise LaneError("a gateway did not read, or send, all there is in time")
        self._terminate()
        while not self.turn(TURN_S, feeds=False):
            if time.monotonic() > limit:
                raise LaneError("a gateway did not end in time")
        self._bury()
        if list((self.runtime / "tape").iterdir()):
            raise LaneError("a gateway that ended well left a tape")
        self._close_books()

    def _close_books(self) -> None:
        self.harvest()
        due = self.account.settle(self.feeder.written, self.feeder.deaths)
        self._whole += due if self.centre is not None else []
        self.feeder.written, self.feeder.deaths = [], []
        limits = SMALL_LIMITS if self.wish.small else None
        self.account.tally.invariants_broken += len(check_folder(self.spool, limits=limits))
        if self.account.tally.faults():
            raise LaneError(f"the books do not agree: {self.account.tally.faults()}")
        self._fed_at = time.monotonic()

    def _centre_has_all(self) -> bool:
        return self.account.spool.digests.keys() <= self.account.centre.digests.keys() | self.account.spool.told

    def say(self, **more: object) -> None:
        tally = asdict(self.account.tally)
        line = {"kills": self.kills, "lives": self.lives, "execs": self.execs, "phases": self.phases, **tally}
        print(json.dumps({**line, "overrun": self.feeder.overrun, **more}), flush=True)

    def run(self) -> None:
        rng = Random(self.wish.seed)
        deaths = 0
        while self.kills < self.wish.kills:
            deaths += 1
            self.run_life(draw(rng, execs=deaths % self.wish.exec_lives == 0))
            if deaths % self.wish.settle_lives == 0:
                self.settle()
                self.say()
            elif deaths % self.wish.harvest_lives == 0:
                self.harvest()
        self.settle()
        self.settle()  # what the last commit of the one before evicted is told by now
        if self.centre is not None:
            while not self._centre_has_all():
                self.settle(until_centre=True)
            self.account.close(self._whole)
            if self.account.tally.faults():
                raise LaneError(f"the centre's books do not agree: {self.account.tally.faults()}")

    def close(self) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        self.feeder.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", required=True)
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--small", action="store_true", help="segments of 64 KiB, used again all the time")
    parser.add_argument("--broker", type=int, default=0, metavar="PORT")
    parser.add_argument("--harvest-lives", type=int, default=8)
    parser.add_argument("--settle-lives", type=int, default=48)
    parser.add_argument("--exec-lives", type=int, default=25, help="each so many lives the program is loaded anew")
    lane = Lane(Wish(**vars(parser.parse_args())))
    gc.collect()
    gc.freeze()  # a child must not touch what it only inherits
    problem = ""
    try:
        lane.run()
    except LaneError as error:
        problem = str(error)
    lane.close()
    lane.say(ended=True, problem=problem)
    if not problem:
        shutil.rmtree(lane.wish.folder)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
