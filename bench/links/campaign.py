"""All scenarios, the independent ones side by side: links are slow, so two cores carry them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from bench.links import scenarios
from bench.links.scenarios import Plan, tell
from bench.links.voices import Ecg, Oximeter
from bench.results import Figure

VOLUMES: dict[str, list[type[Ecg] | type[Oximeter]]] = {"idle": [], "oximeter": [Oximeter], "ecg": [Ecg, Oximeter]}
Scenario = Callable[[], Iterable[Figure]]


def figures(plan: Plan | None = None, only: str = "") -> Iterator[Figure]:
    """Every figure of the links, as each scenario ends; `only` those whose scenario has it in its name.

    LinkMissingError where no link can be simulated, HarnessError where a program did not do what was measured of it.
    """
    wanted = plan or Plan()
    folder = Path(tempfile.mkdtemp(prefix="wardlink-links-"))
    try:
        for part in parts(folder, wanted):
            yield from together({name: one for name, one in part.items() if only in name})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def parts(folder: Path, plan: Plan) -> list[dict[str, Scenario]]:
    """What runs side by side. P4 alone, for its first vital is a matter of milliseconds; volumes at last."""
    alone: dict[str, Scenario] = {"p4": partial(days, folder / "days", plan)}
    long: dict[str, Scenario] = {
        "p1-drain": partial(thin, folder / "thin", plan),
        "p1-live": partial(scenarios.thin_live, folder, plan),
        "p6": partial(scenarios.hostile, folder, plan),
    }
    long |= {name.lower(): partial(scenarios.broken, name, folder, plan) for name in ("P2", "P3", "P5")}
    volumes: dict[str, Scenario] = {
        f"volume-{kind}": partial(scenarios.volume, kind, kinds, folder, plan) for kind, kinds in VOLUMES.items()
    }
    return [alone, long | volumes]


def days(folder: Path, plan: Plan) -> Iterator[Figure]:
    tell(f"making {plan.hours:g} h of backlog")
    yield from scenarios.return_after_days(folder, scenarios.made(folder, plan.hours), plan)
    shutil.rmtree(folder)


def thin(folder: Path, plan: Plan) -> Iterator[Figure]:
    tell(f"making {plan.hours:g} h of backlog")
    yield from scenarios.thin_drain(folder, scenarios.made(folder, plan.hours), plan)


def together(chosen: dict[str, Scenario]) -> Iterator[Figure]:
    with ThreadPoolExecutor(max(1, len(chosen)), thread_name_prefix="links") as threads:
        running = {threads.submit(_listed, one): name for name, one in chosen.items()}
        for done in as_completed(running):
            tell(f"{running[done]} ended")
            yield from done.result()


def _listed(one: Scenario) -> list[Figure]:
    return list(one())
