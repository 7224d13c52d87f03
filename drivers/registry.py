"""The drivers there are: the modules of `drivers.devices`, each with exactly one `Driver` in it.

The folder is the list. A module that does not load, holds no driver or lies about its id is our bug and stops us;
a driver that vanishes silently would be worse.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

import drivers.devices
from drivers.contract import Driver


class UnknownDriverError(Exception):
    """No driver has this id. `hint` names the nearest."""

    def __init__(self, driver_id: str) -> None:
        import difflib  # noqa: PLC0415  rarely needed, and 0.2 MiB

        near = difflib.get_close_matches(driver_id, ids(), n=1)
        super().__init__(f"no driver is called {driver_id!r}")
        self.hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(ids())}"


@cache
def ids() -> tuple[str, ...]:
    """Ids of all drivers, sorted. Loads none of them."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(drivers.devices.__path__)))


@cache
def driver(driver_id: str) -> type[Driver]:
    """The driver class of this id; loads only its module. Raises UnknownDriverError."""
    if driver_id not in ids():
        raise UnknownDriverError(driver_id)
    return driver_in(importlib.import_module(f"drivers.devices.{driver_id}"))


def driver_in(module: ModuleType) -> type[Driver]:
    """The one driver defined in a module."""
    found = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Driver) and thing.__module__ == module.__name__
    ]
    assert len(found) == 1, f"{module.__name__} defines {len(found)} drivers, not one"
    assert found[0].info.id == module.__name__.rpartition(".")[2], f"{module.__name__}: id is {found[0].info.id!r}"
    return found[0]


def all_drivers() -> tuple[type[Driver], ...]:
    """Every driver class, by id."""
    return tuple(driver(driver_id) for driver_id in ids())
