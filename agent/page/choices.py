"""What an engineer may say about the page: the table [page] of gateway.toml."""

from __future__ import annotations

import msgspec

from config.languages import Language


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`listen` is "host:port", host `*` for every address; `hosts` are further names people may type."""

    language: Language = "en"
    listen: str = "*:80"
    hosts: list[str] = []


class Part(msgspec.Struct, frozen=True):
    """What the page reads of gateway.toml; the rest is the gateway's."""

    runtime: str = "/run/wardlink"
    page: Page = Page()
