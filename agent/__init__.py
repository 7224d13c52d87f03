"""The gateway at the bed. Organs meet only in `gateway.py`; `cli` and `config` stand before it (DESIGN 4)."""

VERSION = "0.1.0"
