"""A wiped gateway: nothing on its card signs or opens, the receipt proves it, and a power cut leaves no half of it."""

import shutil
from pathlib import Path

import pytest

from agent import identity, wiping
from agent.cli.entry import main
from agent.enrol import farewell, places
from agent.enrolling import Keys
from agent.ports.tape import TAPES
from agent.spool.spool import Spool
from agent.spool.terms import Limits, Stored
from agent.wiping import Place, WipeError
from config.load import ConfigError
from tests.enrol_rig import SITE, FakeCentre, config, enrolled
from wire import audit, keys
from wire.seal import Sealer

QUOTAS = dict.fromkeys((0, 1, 2), 8 << 20)
CANARY = b"SpO2 of somebody"


class Box:
    """A gateway that was enrolled, recorded, and stands still."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = enrolled(folder / "keys", FakeCentre())
        self.gateway = self.keys.gateway
        self.place = Place(folder / "keys", folder / "state", folder / "run", SITE)
        self.pem = (self.place.keys / "gateway.key").read_bytes()
        (self.place.runtime / TAPES).mkdir(parents=True)
        (self.place.runtime / TAPES / "usb.tape").write_bytes(CANARY)
        self.place.state.mkdir()
        (self.place.state / "marks.json").write_bytes(b"{}")

    def record(self, *, held: bool, segment_bytes: int = 4 << 20) -> None:
        who = identity.load(self.place.keys, receipts=True)
        spool = Spool.open(self.place.state / "spool", QUOTAS, limits=Limits(segment_bytes=segment_bytes))
        sealer = Sealer(who.signer, who.recipients, spool.epoch, spool.nonce)
        for header, data in (sealer.begin_hour(), sealer.seal(1, CANARY), sealer.seal(1, CANARY)):
            spool.append(Stored(int(header.cls), header.epoch, header.hour, header.seq, data))
        spool.commit()
        if held:
            spool.held(0, spool.epoch, [(0, 0)])
            spool.held(1, spool.epoch, [(0, 1)])
            spool.save_acks()
        spool.close()

    def wipe(self, out: Path | None = None, *, even_unsent: bool = False) -> str:
        return wiping.wipe(self.place, out, even_unsent=even_unsent, utc=5, surely=None)

    def bytes_left(self) -> bytes:
        return b"".join(file.read_bytes() for file in self.folder.rglob("*") if file.is_file())


@pytest.fixture
def box(tmp_path) -> Box:
    return Box(tmp_path / "box")


def test_nothing_is_left_that_signs_or_opens(box, tmp_path) -> None:
    box.record(held=True)
    receipt = box.wipe(tmp_path / "stick.txt")
    said = farewell.read(receipt)
    assert (said.gateway, said.site, said.utc, said.surely) == (box.gateway, SITE, 5, None)
    assert (said.protection, said.not_held, said.missing) == ("file", {}, 0)
    assert (tmp_path / "stick.txt").read_text() == receipt
    assert sorted(file.name for file in box.place.keys.iterdir()) == ["gateway.pub", "lock", places.WIPED_FILE]
    assert not (box.place.state / "spool").exists()
    left = box.bytes_left()
    assert CANARY not in left
    assert box.pem not in left
    assert b"PRIVATE KEY" not in left
    with pytest.raises(ConfigError, match="was wiped"):
        identity.load(box.place.keys, receipts=True)
    assert box.wipe() == receipt  # said again, not done again
    lines = b"".join(file.read_bytes() for file in (box.place.state / "audit").glob("*.jsonl")).splitlines()
    head = audit.verify(lines, keys.verifier(said.key), audit.head(said.audit))
    assert head.text() == said.audit, "the log ends with the wipe, and still proves itself"


def test_what_the_centre_does_not_hold_is_not_wiped_by_accident(box) -> None:
    box.record(held=False)
    before = box.bytes_left()
    with pytest.raises(WipeError, match="3 envelopes here are not confirmed") as caught:
        box.wipe()
    assert "spool export" in caught.value.hint
    assert box.bytes_left() == before
    assert farewell.read(box.wipe(even_unsent=True)).not_held == {"key": 1, "vital": 2}


def test_a_spool_that_cannot_be_read_is_wiped_only_if_that_is_said(box) -> None:
    box.record(held=True, segment_bytes=1 << 16)  # as another version of wardlink might write
    with pytest.raises(WipeError, match="cannot be read"):
        box.wipe()
    assert farewell.read(box.wipe(even_unsent=True)).unreadable == ["spool"]


def test_a_running_gateway_is_not_wiped(box) -> None:
    running = Spool.open(box.place.state / "spool", QUOTAS)
    with pytest.raises(WipeError, match="the gateway runs"):
        box.wipe(even_unsent=True)
    running.close()
    box.wipe(even_unsent=True)


def test_a_forged_receipt_is_seen(box) -> None:
    receipt = box.wipe()
    for at in range(0, len(receipt), 3):
        forged = receipt[:at] + chr(ord(receipt[at]) ^ 1) + receipt[at + 1 :]
        if forged.strip() != receipt.strip():
            with pytest.raises(farewell.FarewellError):
                farewell.read(forged)


class CutError(Exception):
    pass


def cut_at(monkeypatch, count: int) -> None:
    """The power goes at the so many-th thing that a wipe does to the disk."""
    left = [count]

    def strikes(act):
        def instead(*words, **named):
            left[0] -= 1
            if left[0] < 0:
                raise CutError
            return act(*words, **named)

        return instead

    for where, name in (
        (wiping.durable, "place"),
        (wiping.enrolling, "destroy"),
        (wiping.FILES, "rename"),
        (shutil, "rmtree"),
        (Path, "unlink"),
    ):
        monkeypatch.setattr(where, name, strikes(getattr(where, name)))


@pytest.mark.parametrize("count", range(21))
def test_a_power_cut_in_the_middle_leaves_a_gateway_that_works_or_one_that_says_so(box, monkeypatch, count) -> None:
    box.record(held=True)
    with monkeypatch.context() as power:
        cut_at(power, count)
        try:
            box.wipe()
            done = True
        except CutError:
            done = False
    if count < 3:  # before the receipt has its name: the audit log is written first
        assert not done
        assert identity.load(box.place.keys, receipts=True).gateway == box.gateway
        assert (box.place.state / "spool").exists()
    else:
        with pytest.raises(ConfigError, match="wipe"):
            identity.load(box.place.keys, receipts=True)
    receipt = box.wipe()
    assert farewell.read(receipt).gateway == box.gateway
    assert b"PRIVATE KEY" not in box.bytes_left()
    assert CANARY not in box.bytes_left()


def test_the_command_wipes_only_the_gateway_that_is_named(box, tmp_path, capsys) -> None:
    file = config(tmp_path, box.place.keys, state=str(box.place.state), runtime=str(box.place.runtime))
    assert main(["wipe", "a" * 20, "--config", str(file)]) == 1
    assert f"this gateway is {box.gateway}" in capsys.readouterr().err
    assert main(["wipe", box.gateway, "--config", str(file), "--receipt", str(tmp_path / "r")]) == 0
    assert farewell.read(capsys.readouterr().out).gateway == box.gateway


def test_a_wiped_box_is_enrolled_anew_under_another_name(box) -> None:
    box.wipe()
    centre, anew = FakeCentre(), Keys(box.place.keys, SITE)
    anew.make("file")
    assert anew.gateway != box.gateway
    data, asked = anew.ask(centre.voucher(), bytes(16), 0)
    anew.take_answer(asked, centre.answer(data))
    who = identity.load(box.place.keys, receipts=True)
    assert keys.gateway_id(who.signer.public_key()) == anew.gateway
