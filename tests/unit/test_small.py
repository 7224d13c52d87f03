"""What the gateway does not load, for each of these costs a tenth of a MiB or more and serves few or none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import identity
from agent.lab import keyring
from agent.uplink import tcp
from wire.fitted import median

RARE = (
    "agent.applying",
    "agent.discovery",
    "agent.importing",
    "agent.radio",
    "cryptography.hazmat.primitives.serialization",
    "email",
    "http",
    "importlib.resources",
    "lzma",
    "numpy.ma",
    "shutil",
    "stringprep",
    "systemd",
    "tempfile",
    "zipfile",
)
RUN = """
import sys
import numpy as np
from agent import gateway, identity
from agent.cli.entry import main
from agent.uplink import tcp
from drivers import vocabulary
from wire import codec
identity.signer(sys.argv[1])
vocabulary.codes()
codec.Encoder().encode(np.arange(5000, dtype=np.int32).reshape(2, 2500) ** 2 % 997)
try:
    tcp.direct("127.0.0.1", 1, 0.5)
except OSError:
    print("refused")
try:
    main(["run", "--config", "/nonexistent"])
except SystemExit:
    print("ended")
print(*sorted(one for one in sys.argv[2:] if one in sys.modules))
"""


def test_what_few_need_is_not_loaded(tmp_path: Path) -> None:
    words = RUN.replace("sys.argv[1]", "__import__('pathlib').Path(sys.argv[1])")
    folder = keyring.make(tmp_path).gateway
    done = subprocess.run([sys.executable, "-c", words, folder, *RARE], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["refused", ""], done.stdout


def test_a_key_that_is_written_otherwise_is_read_too(tmp_path: Path) -> None:
    ring = keyring.make(tmp_path)
    file = ring.gateway / "gateway.key"
    plain = file.read_bytes()
    wanted = identity.load(ring.gateway, receipts=True).gateway
    assert identity._plain(plain) is not None
    for other in (plain.replace(b"\n", b"\r\n"), b"a comment\n" + plain, plain + b"\n"):
        file.write_bytes(other)
        assert identity._plain(other) is None
        assert identity.load(ring.gateway, receipts=True).gateway == wanted


@pytest.mark.parametrize(("host", "taken"), [("broker.example.org", b"broker.example.org"), ("bücher.de", "bücher.de")])
def test_hosts_of_ascii_are_not_encoded_by_idna(host: str, taken: object) -> None:
    assert tcp.named(host) == taken


@given(st.lists(st.integers(-(1 << 40), 1 << 40), min_size=1, max_size=40))
def test_the_median_is_numpys(values: list[int]) -> None:
    assert median(np.array(values)) == np.median(np.array(values))
