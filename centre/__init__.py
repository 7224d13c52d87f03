"""The telemedicine centre's side: opens, accounts, stores, shows. Imports wire and drivers.vocabulary only."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from centre.client import Subscriber

__all__ = ["Subscriber"]


def __getattr__(name: str) -> Any:
    """`from centre import Subscriber`, loaded only where it is wanted."""
    if name == "Subscriber":
        from centre.client import Subscriber  # noqa: PLC0415

        return Subscriber
    raise AttributeError(name)
