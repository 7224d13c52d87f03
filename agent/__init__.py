"""The gateway at the bed. Organs meet only in `gateway.py`; `cli` and `config` stand before it (DESIGN 4)."""

from config import library as _library  # noqa: F401  before msgspec is imported anywhere else

VERSION = "0.1.0"
