"""An update with a real server, a bad link and a program in RAUC's place that reads what RAUC would."""

import http.client
import os
import random
import socket
import stat
import struct
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from agent import VERSION, updating
from agent.update import kept
from agent.update.kept import Kept, Origin
from agent.update.nearby import Nearby, NotNowError
from agent.update.pace import LIMIT_BYTES_S, Live, Pace
from agent.update.source import Source, SourceError
from agent.update.supply import Supply
from agent.update.wish import Wish
from agent.updating import Floor, Places, RefusedError, judge, signed_end
from tests.image.ranges import Ranges

SIZE = 300_000
NEWER = "99.1"
RAUC = """#!{python}
import json, pathlib, sys, urllib.request
verb, place = sys.argv[1], sys.argv[-1]
folder = pathlib.Path({folder!r})
if (folder / "says").exists():
    sys.exit((folder / "says").read_text())
def part(at, end):
    if place.startswith("http"):
        asked = urllib.request.Request(place, headers={{"Range": f"bytes={{at}}-{{end - 1}}"}})
        return urllib.request.urlopen(asked).read()
    return pathlib.Path(place).read_bytes()[at:end]
if verb == "info":
    print(json.dumps({{"update": {{"version": (folder / "version").read_text(), "compatible": "x"}}}}))
else:
    wanted = [tuple(map(int, row.split())) for row in (folder / "wanted").read_text().splitlines()]
    (folder / "got").write_bytes(b"".join(part(*one) for one in wanted))
"""


@pytest.fixture
def served(tmp_path):
    ranges = Ranges(tmp_path / "served")
    ranges.folder.mkdir()
    yield ranges
    ranges.close()


@pytest.fixture
def bundle(tmp_path) -> bytes:
    data = random.Random(5).randbytes(SIZE)
    end = b"signature" * 100
    data += end + len(end).to_bytes(8, "big")
    (tmp_path / "served").mkdir(exist_ok=True)
    (tmp_path / "served" / "new.raucb").write_bytes(data)
    return data


@pytest.fixture
def rauc(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "rauc"
    folder.mkdir()
    program = folder / "rauc"
    program.write_text(RAUC.format(python=sys.executable, folder=str(folder)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    (folder / "version").write_text(NEWER)
    (folder / "wanted").write_text("0 4096\n100000 140000\n")
    return folder


@pytest.fixture
def places(tmp_path) -> Places:
    (tmp_path / "update").mkdir()
    return Places(tmp_path / "run", tmp_path / "update", tmp_path / "keys")


def url(ranges: Ranges) -> str:
    return f"http://127.0.0.1:{ranges.port}/new.raucb"


def wish(place: str, bundle: bytes = b"", floor: str = "") -> Wish:
    digest = signed_end(lambda at, end: bundle[at:end], len(bundle)) if bundle else ""
    return Wish(NEWER, place, digest, floor, "")


def fast() -> Pace:
    return Pace(limit_bytes_s=LIMIT_BYTES_S * 100)


def test_only_what_is_read_is_fetched_and_all_of_it_arrives(served, bundle, rauc, places) -> None:
    outcome = updating.install(wish(url(served), bundle), places)
    assert (outcome.kind, outcome.version) == ("installed", NEWER), outcome
    assert (rauc / "got").read_bytes() == bundle[:4096] + bundle[100_000:140_000]
    assert served.sent_bytes == outcome.fetched_bytes < 60_000
    assert list(places.folder.iterdir()) == []


def test_from_a_stick(tmp_path, bundle, rauc, places) -> None:
    assert updating.install(wish(str(tmp_path / "served" / "new.raucb"), bundle), places).kind == "installed"


def test_a_bad_link_is_survived(served, bundle, places) -> None:
    source = Source(url(served))
    served.drop = 0.4
    supply = Supply(source, Kept(places.folder, Origin("x", source.size, "")), lambda: None, pace=fast())
    supply._ended.set()  # do not wait between tries
    assert supply(0, len(bundle)) == bundle
    assert served.sent_bytes < 3 * len(bundle)


def test_what_was_fetched_is_not_fetched_again_after_a_power_cut(served, bundle, places) -> None:
    origin = Origin("x", len(bundle), "")
    first = Kept(places.folder, origin)
    Supply(Source(url(served)), first, lambda: None, pace=fast())(0, 200_000)
    first.keep()
    before = served.sent_bytes
    again = Kept(places.folder, origin)
    assert Supply(Source(url(served)), again, lambda: None, pace=fast())(0, 200_000) == bundle[:200_000]
    assert served.sent_bytes - before == 4, "only whether it is still the same file"
    other = Kept(places.folder, Origin("x", len(bundle), "another tag"))
    assert other.kept_bytes == 0


def test_a_map_that_was_cut_is_no_map(places, bundle) -> None:
    store = Kept(places.folder, Origin("x", len(bundle), ""))
    store.write(0, bundle[:8192])
    store.close()
    file = places.folder / "bundle.map"
    file.write_bytes(file.read_bytes()[:-1])
    assert Kept(places.folder, Origin("x", len(bundle), "")).lacks(0, 8192) == (0, 8192)


def test_live_data_goes_first(served, bundle, places) -> None:
    source = Source(url(served))
    busy = Live(is_connected=True, waiting_bytes=1 << 30, live_left=0, round_trip_s=0.1)
    supply = Supply(source, Kept(places.folder, Origin("x", source.size, "")), lambda: busy, patience_s=0.05)
    with pytest.raises(NotNowError, match="wait to be delivered"):
        supply(0, 100)
    urgent = Supply(source, Kept(places.folder, Origin("x", source.size, "")), lambda: busy, is_urgent=True)
    assert urgent(0, 100) == bundle[:100]


def test_rauc_is_told_at_once_that_nothing_comes(served, bundle, places) -> None:
    source = Source(url(served))
    served.is_down = True
    store = Kept(places.folder, Origin("x", source.size, ""))
    supply = Supply(source, store, lambda: None, patience_s=0.05)
    with Nearby(source.size, supply) as near:
        parts = urlsplit(near.url)
        link = http.client.HTTPConnection(parts.netloc)
        link.request("GET", parts.path, headers={"Range": "bytes=0-99"})
        assert link.getresponse().status == 404
        link.close()
    assert supply.why


def test_a_server_without_parts_is_refused(served, bundle, rauc, places) -> None:
    served.has_ranges = False
    outcome = updating.install(wish(url(served)), places)
    assert (outcome.kind, "cannot send parts" in outcome.words) == ("refused", True)


def test_a_link_that_is_down_is_tried_later(served, bundle, rauc, places) -> None:
    served.is_down = True
    assert updating.install(wish(url(served)), places).kind == "later"


def test_another_file_at_the_address_is_noticed(served, bundle) -> None:
    source = Source(url(served))
    (served.folder / "new.raucb").write_bytes(bundle + b"more")
    with pytest.raises(SourceError, match="another one now"):
        source.get(0, 100)


@pytest.mark.parametrize(
    ("says", "kind"),
    [
        ("signature verification failed: self-signed certificate", "refused"),
        ("Version mismatch: Expected at least '0.1.0' but bundle manifest has '0.0.1'", "refused"),
        ("Compatible mismatch: Expected 'wardlink-arm64' but bundle manifest has 'other'", "refused"),
        ("Failed updating slot rootfs.1: Input/output error", "later"),
    ],
)
def test_what_rauc_says_is_final_or_not(served, bundle, rauc, places, says, kind) -> None:
    (rauc / "says").write_text(says)
    outcome = updating.install(wish(url(served)), places)
    assert (outcome.kind, outcome.words) == (kind, says)
    (rauc / "says").write_text(f"LastError: {says}\nInstalling `new.raucb` failed")
    assert updating.install(wish(url(served)), places).words == says, "the reason, not the messenger"
    assert any(places.folder.iterdir()) == (kind == "later"), "what was fetched is kept for the next try"


def test_what_was_not_asked_for_is_refused(served, bundle, rauc, places) -> None:
    other = Wish(NEWER, url(served), "00" * 32, "", "")
    assert "another SHA-256" in updating.install(other, places).words
    (rauc / "version").write_text("99.2")
    assert "99.1 was asked for" in updating.install(wish(url(served), bundle), places).words


def test_below_the_floor_nothing_is_installed_and_the_floor_stays(served, bundle, rauc, places) -> None:
    assert updating.install(wish(url(served), bundle, floor="99.5"), places).words == "99.1 is below the floor 99.5"
    assert updating.install(wish(url(served), bundle), places).words == "99.1 is below the floor 99.5"
    assert Floor(places.folder).rise("1.0") == "99.5"
    assert updating.is_below("99.5")


def test_an_older_version_wants_a_word() -> None:
    asked = Wish("", "", "", "", "")
    with pytest.raises(RefusedError, match="older than"):
        judge("0.0.1", asked, "0.0")
    judge("0.0.1", asked, "0.0", may_be_older=True)
    judge(VERSION, asked, "0.0")
    with pytest.raises(RefusedError, match="below the floor"):
        judge("0.0.1", asked, "0.0.2", may_be_older=True)


def test_no_bundle_is_no_bundle(tmp_path, rauc, places) -> None:
    file = tmp_path / "holiday.jpg"
    file.write_bytes(bytes(100))
    assert updating.install(wish(str(file)), places).words == "that is no bundle"


def test_forget_leaves_the_floor(places) -> None:
    Floor(places.folder).rise("2.0")
    kept.forget(places.folder)
    assert Floor(places.folder).read() == "2.0"


def test_that_rauc_goes_in_the_middle_of_a_word_is_no_traceback(capfd) -> None:
    with Nearby(10, lambda at, end: bytes(end - at)) as near:
        port = urlsplit(near.url).port
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(b"GET /bun")
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # ends with a reset
        whole = http.client.HTTPConnection("127.0.0.1", port)
        whole.request("GET", "/bundle.raucb", headers={"Range": "bytes=0-3"})
        assert whole.getresponse().read() == bytes(4)
        whole.close()
    assert capfd.readouterr().err == ""
