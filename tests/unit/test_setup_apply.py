"""A setup applied, confirmed, rolled back: on folders that stand for the boot partition and the machine's root."""

import os
from pathlib import Path

import msgspec
import pytest

from agent import durable
from agent.cli import entry
from agent.health import status
from agent.health.status import LinkStatus, SpoolStatus, Status
from agent.setting import Machine
from agent.setup import standing
from agent.setup.render import VOUCHER
from agent.watching import ENROL_S, SOON_S, TICK_S, Enrolled, Watch
from config import codes
from wire.voucher import Voucher

GOOD = 'site = "north"\nbroker = "mqtts://good.example.org"\n'
OTHER = 'site = "north"\nbroker = "mqtts://other.example.org"\n'
WIFI = '[wifi]\nname = "ward"\ncountry = "BJ"\npassword = "long enough"\n'
NET = "run/NetworkManager/system-connections"
LINK = LinkStatus(True, "", "", 0, 10, 9, 8, 0, 0, {}, 0, 0.1, 0, {}, 0, 0)
STATUS = Status("0", "north", "g" * 20, "", 7, 1.8e9, 9.5, "ntp", [], LINK, SpoolStatus([], 60, "", 0, 0, 0, 0), [])
SECOND = 10**9


class Board:
    """The folders of one gateway; what programs it would have run."""

    def __init__(self, folder: Path) -> None:
        self.root, self.boot = folder / "root", folder / "boot"
        (self.root / "etc/wardlink").mkdir(parents=True)
        self.boot.mkdir()
        self.ran: list[str] = []

    def machine(self) -> Machine:
        return Machine(self.root, self.boot, self._do)

    def _do(self, words) -> str:
        self.ran.append(" ".join(words))
        return ""

    def write(self, text: str | bytes) -> None:
        (self.boot / "wardlink.txt").write_bytes(text if isinstance(text, bytes) else text.encode())

    def apply(self, text: str | None = None) -> standing.Standing:
        if text is not None:
            self.write(text)
        self.start()
        return self.machine().apply()

    def start(self) -> None:
        """What lies in memory is gone."""
        for file in [*self.root.glob("run/**/*"), *self.root.glob("etc/hostname")]:
            if file.is_file():
                file.unlink()

    def link(self, connected: bool, problem: str = "") -> None:
        link = msgspec.structs.replace(LINK, connected=connected, problem=problem)
        file = self.root / "run/wardlink" / status.STATUS_FILE
        file.write_bytes(status.pack(msgspec.structs.replace(STATUS, link=link)))

    def told(self) -> standing.Standing:
        return standing.read(self.root / "run/wardlink")

    def text(self, path: str) -> str:
        return (self.root / path).read_text()

    def broker(self) -> str:
        return self.text("etc/wardlink/gateway.toml").split('broker = "mqtts://')[1].split(".")[0]

    def confirmed(self, text: str) -> None:
        self.apply(text)
        self.link(True)
        assert Watch(self.machine(), 0).step(SECOND)


@pytest.fixture
def board(tmp_path) -> Board:
    return Board(tmp_path)


def test_a_card_that_nobody_filled_in_says_so(board: Board) -> None:
    assert board.apply().code == codes.EMPTY
    shipped = (Path(__file__).parents[2] / "config/wardlink.txt").read_text()
    said = board.apply(shipped)
    assert (said.state, said.code, said.inforce) == ("failed", codes.EMPTY, "none")
    assert "wardlink.txt:4" in said.cause


def test_that_it_is_not_filled_in_is_told_and_is_no_failure_of_the_unit(board: Board, capsys) -> None:
    words = ["setup", "apply", "--root", str(board.root), "--boot", str(board.boot)]
    for text in (None, b"", b"# nothing yet\n"):
        if text is not None:
            board.write(text)
        assert entry.main(words) == 0, text
        assert "code     20" in capsys.readouterr().out
        assert board.told().code == codes.EMPTY
    board.write('site = "north"\nbroker = 5\n')
    assert entry.main(words) == 78


def test_who_wrote_gateway_toml_by_hand_is_not_told_to_fill_in_a_file(board: Board) -> None:
    (board.root / "etc/wardlink/gateway.toml").write_text(GOOD)
    assert (board.apply().state, board.told().inforce) == ("done", "hand")
    assert board.broker() == "good"


def test_the_pages_process_may_read_how_it_stands(board: Board) -> None:
    board.apply()
    file = board.root / "run/wardlink" / standing.STANDING_FILE
    if os.geteuid() == 0:
        os.chown(file.parent, -1, 4711)
        board.apply()
        assert file.stat().st_gid == 4711
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_setup_is_tried_then_good(board: Board) -> None:
    assert board.apply(GOOD).state == "busy"
    assert board.broker() == "good"
    watch = Watch(board.machine(), 0)
    assert not watch.step(1 * SECOND)
    board.link(False, "the name x cannot be resolved")
    assert not watch.step(200 * SECOND)
    board.link(True)
    assert watch.step(299 * SECOND)
    assert (board.told().state, board.told().inforce) == ("done", "good")
    assert board.apply().state == "done"


def test_what_lies_in_memory_is_made_again_at_each_start(board: Board) -> None:
    board.confirmed(GOOD + WIFI)
    assert b"long enough" not in (board.boot / "wardlink.txt").read_bytes()
    assert board.apply().state == "done"
    assert "psk=long enough" in board.text(f"{NET}/wardlink-wifi.nmconnection")
    assert "iw reg set BJ" in board.ran


def test_a_wrong_apn_rolls_back(board: Board) -> None:
    mobile = '[mobile]\napn = "internet"\n'
    board.confirmed(GOOD + mobile)
    assert board.apply(GOOD + mobile.replace("internet", "wrong")).state == "busy"
    assert "apn=wrong" in board.text(f"{NET}/wardlink-mobile.nmconnection")
    watch = Watch(board.machine(), 0)
    board.link(False, "broker:8883 does not answer")
    assert not watch.step(299 * SECOND)
    assert watch.step(300 * SECOND)
    assert "apn=internet" in board.text(f"{NET}/wardlink-mobile.nmconnection")
    assert {"nmcli connection reload", "systemctl restart wardlink"} <= set(board.ran)
    assert any("connection up wardlink-mobile" in one for one in board.ran)
    said = board.told()
    assert (said.state, said.code, said.inforce) == ("failed", codes.ROLLED_BACK, "good")
    assert "does not answer" in said.cause
    again = board.apply()
    assert (again.code, again.inforce) == (codes.ROLLED_BACK, "good")
    assert "apn=internet" in board.text(f"{NET}/wardlink-mobile.nmconnection")
    assert board.apply(GOOD + mobile).state == "done"


def test_with_no_last_good_one_it_stays_and_says_what_is_wrong(board: Board) -> None:
    board.apply(GOOD)
    watch = Watch(board.machine(), 0)
    board.link(False, "the name good.example.org cannot be resolved")
    assert not watch.step(301 * SECOND)
    said = board.told()
    assert (said.state, said.code, said.inforce) == ("failed", codes.NO_NAME, "trial")
    assert board.broker() == "good"
    board.link(True)
    assert watch.step(900 * SECOND)
    assert board.told().state == "done"


def test_a_program_that_never_starts_is_not_taken_for_a_lack_of_a_voucher(board: Board) -> None:
    board.confirmed(GOOD)
    board.apply(OTHER)
    assert Watch(board.machine(), 0).step(300 * SECOND)
    assert board.told().cause == codes.MEANINGS[codes.NO_GATEWAY].cause


def test_a_file_that_is_wrong_leaves_the_last_good_one(board: Board) -> None:
    board.confirmed(GOOD)
    said = board.apply(OTHER + "mtu = 5\n")
    assert (said.code, said.inforce, said.language) == (codes.WRONG, "good", "en")
    assert "wardlink.txt:3" in said.cause
    assert board.broker() == "good"


def test_a_power_cut_in_a_trial_tries_again_and_one_in_the_writing_loses_nothing(board: Board, monkeypatch) -> None:
    board.confirmed(GOOD)
    board.write(OTHER + WIFI)
    real, left = durable.place, [0]

    def cut(files, file, data) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError("cut")
        real(files, file, data)

    monkeypatch.setattr(durable, "place", cut)
    for count in range(12):
        left[0] = count
        board.start()
        try:
            board.machine().apply()
        except OSError:
            continue
        break
    else:
        pytest.fail("it never went through")
    monkeypatch.undo()
    assert board.apply().state == "busy"
    assert board.broker() == "other"
    assert "psk=long enough" in board.text(f"{NET}/wardlink-wifi.nmconnection")
    assert b"long enough" not in (board.boot / "wardlink.txt").read_bytes()


def test_the_voucher_is_used_once_and_a_refused_one_is_told(board: Board) -> None:
    text = Voucher("north", 1 << 60, bytes(32), "", bytes(range(20))).text()
    board.apply(GOOD + f'voucher = "{text}"\n')
    assert board.text(VOUCHER).strip() == text
    assert text.encode() not in (board.boot / "wardlink.txt").read_bytes()
    came = [Enrolled("the endpoint does not answer", "wait"), Enrolled("the centre refuses the voucher", "ask", True)]
    watch = Watch(board.machine(), 0, lambda folder: came.pop(0))
    assert not watch.step(SECOND)
    assert board.told().state == "busy"
    assert not watch.step(2 * SECOND)
    assert not watch.step(int((ENROL_S + 2) * SECOND))
    assert (board.told().state, board.told().code) == ("failed", codes.VOUCHER)
    board.apply()
    board.link(True)
    assert Watch(board.machine(), 0, lambda folder: Enrolled()).step(SECOND)
    assert not (board.root / VOUCHER).exists()
    assert "systemctl restart wardlink" in board.ran
    assert board.apply().state == "done"
    assert not (board.root / VOUCHER).exists()


def test_the_voucher_waits_for_an_address_but_not_for_ever(board: Board) -> None:
    text = Voucher("north", 1 << 60, bytes(32), "", bytes(range(20))).text()
    board.apply(GOOD + f'voucher = "{text}"\n')
    asked: list[Path] = []

    def enrol(folder: Path) -> Enrolled:
        asked.append(folder)
        return Enrolled("nobody answers", "it is tried again")

    (board.root / "sys/class/net/eth0").mkdir(parents=True)
    watch = Watch(board.machine(), 0, enrol)
    assert (watch.step(SECOND), len(asked), watch.pause_s) == (False, 0, SOON_S)
    route = board.root / "proc/self/net/route"
    route.parent.mkdir(parents=True)
    route.write_text("Iface\tDestination\neth0\t000A0A0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n")
    watch.step(2 * SECOND)
    assert (len(asked), watch.pause_s) == (1, TICK_S)
    route.unlink()
    late = Watch(board.machine(), 0, enrol)
    late.step(int(ENROL_S * 1e9))
    assert len(asked) == 2, "and then says why it fails"


def test_imagers_file_is_read_once_and_kept_below(board: Board) -> None:
    imager = '[wlan]\nssid = "ward"\npassword = "long enough"\ncountry = "BJ"\n[user]\npassword = "x"\n'
    (board.boot / "rpi-preseed.toml").write_text(imager)
    said = board.apply(GOOD)
    assert not (board.boot / "rpi-preseed.toml").exists()
    assert "ignored: user.password" in said.notes[0]
    board.link(True)
    assert Watch(board.machine(), 0).step(SECOND)
    assert board.apply().state == "done"
    assert "psk=long enough" in board.text(f"{NET}/wardlink-wifi.nmconnection")


def test_a_key_file_leaves_the_boot_partition(board: Board) -> None:
    for name in ("ca.pem", "gw.pem", "key.pem"):
        (board.boot / name).write_bytes(b"-----BEGIN X-----\nAAAA\n-----END X-----\n")
    eap = (
        '[wifi]\nname = "w"\ncountry = "BJ"\nsecurity = "enterprise"\neap = "tls"\nidentity = "gw"\n'
        'ca = "ca.pem"\nserver = "r"\ncertificate = "gw.pem"\nkey = "key.pem"\n'
    )
    board.confirmed(GOOD + eap)
    assert sorted(one.name for one in board.boot.iterdir()) == ["ca.pem", "gw.pem", "wardlink.txt"]
    assert board.apply().state == "done"
    assert "private-key=data:;base64," in board.text(f"{NET}/wardlink-wifi.nmconnection")


def test_secrets_are_overwritten_where_they_lay(board: Board) -> None:
    file = board.boot / "wardlink.txt"
    board.write(GOOD + WIFI)
    with file.open("rb") as before:
        board.apply()
        before.seek(0)
        assert set(before.read()) == {0}
    assert "(kept on the gateway)" in file.read_text()


def test_nothing_secret_is_told(board: Board, capsys) -> None:
    said = board.apply(GOOD + WIFI)
    board.link(False, "x")
    Watch(board.machine(), 0).step(301 * SECOND)
    assert "long enough" not in str(said) + str(board.told())


def test_what_was_rolled_back_keeps_its_secrets_for_the_next_attempt(board: Board) -> None:
    """The engineer typed the password once, with a wrong name; correcting the name is enough."""
    wrong = WIFI.replace('"ward"', '"wrad"')
    board.confirmed(GOOD)
    board.apply(GOOD + wrong)
    board.link(False, "x does not answer")
    assert Watch(board.machine(), 0).step(300 * SECOND)
    assert not (board.root / NET / "wardlink-wifi.nmconnection").exists()
    assert board.apply().code == codes.ROLLED_BACK
    left = (board.boot / "wardlink.txt").read_text()
    assert "long enough" not in left
    assert board.apply(left.replace("wrad", "ward")).state == "busy"
    assert "psk=long enough" in board.text(f"{NET}/wardlink-wifi.nmconnection")


def test_going_back_by_hand_forgets_what_was_rolled_back(board: Board) -> None:
    other = WIFI.replace("long enough", "other words")
    board.confirmed(GOOD + WIFI)
    board.apply(GOOD + other)
    board.link(False)
    assert Watch(board.machine(), 0).step(300 * SECOND)
    assert board.apply(GOOD + WIFI).state == "done"
    assert board.apply().state == "done"
    assert "psk=long enough" in board.text(f"{NET}/wardlink-wifi.nmconnection")


def test_a_wrong_file_during_a_trial_stays_told(board: Board) -> None:
    board.apply(GOOD)
    assert board.apply("nonsense").code == codes.WRONG
    assert board.broker() == "good"
    board.link(True)
    assert Watch(board.machine(), 0).step(SECOND)
    assert board.told().code == codes.WRONG
    assert board.apply(GOOD).state == "done"
