"""wardlink.txt: what a laptop does to a file does no harm, and what is wrong is named with its line."""

import re
from pathlib import Path

import pytest

from agent.cli.entry import main
from agent.judging import judged
from agent.setup import preseed
from agent.setup.blank import blanked
from agent.setup.read import SetupError
from agent.setup.terms import KEPT, SECRETS, Ethernet, Mobile, Setup, Whole, Wifi
from wire.voucher import Voucher

SHIPPED = Path(__file__).parents[2] / "config" / "wardlink.txt"
GOOD = 'site = "north"\nbroker = "mqtts://broker.example.org:8883"\n'
WIFI = '[wifi]\nname = "ward"\ncountry = "BJ"\npassword = "long enough"\n'
EAP = (
    '[wifi]\nname = "ward"\ncountry = "BJ"\nsecurity = "enterprise"\nidentity = "gw"\npassword = "x"\n'
    'ca = "ca.pem"\nserver = "radius.example.org"\n'
)
PEM = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.fixture
def said(tmp_path):
    """(line, words, hint) of each thing that is wrong with a text."""

    def of(text: str | bytes, **given) -> list[tuple[int, str, str]]:
        data = text if isinstance(text, bytes) else text.encode()
        with pytest.raises(SetupError) as caught:
            judged(data, tmp_path, **given)
        return [(fault.line, fault.words, fault.hint) for fault in caught.value.faults]

    return of


def setup_of(text: str | bytes, folder: Path, **given) -> Setup:
    return judged(text if isinstance(text, bytes) else text.encode(), folder, **given).setup


def test_the_file_that_ships_lacks_two_keys_and_explains_all(said, tmp_path) -> None:
    shipped = SHIPPED.read_text(encoding="utf-8")
    assert [(line, words) for line, words, _ in said(shipped)] == [
        (4, "site: not filled in"),
        (5, "broker: not filled in"),
    ]
    filled = shipped.replace('site = ""', 'site = "north"').replace('broker = ""', 'broker = "mqtts://b"')
    assert setup_of(filled, tmp_path) == Setup(site="north", broker="mqtts://b")
    keys = set(re.findall(r"(?m)^#?\[?\[?([a-z_.]+)\]?\]?(?: =|$)", shipped))
    for kind in (Setup, Ethernet, Wifi, Mobile):
        assert set(kind.__struct_fields__) <= keys
    uncommented = "\n".join(line[1:] if re.match("#[^ -]", line) else line for line in filled.split("\n"))
    lines = said(uncommented)
    assert not [words for _, words, _ in lines if "unknown key" in words or "expected" in words], lines


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\r").encode(),
        GOOD.replace("\n", "  \t\n").encode() + b"\x1a",
        "\ufeff".encode("utf-16-le") + GOOD.encode("utf-16-le"),
        GOOD.encode() + b"\xc2\xa0\n",
    ],
    ids=["bom", "crlf", "cr", "blanks", "utf-16", "hard-blank"],
)
def test_what_a_laptop_does_to_a_file_does_no_harm(data: bytes, tmp_path) -> None:
    assert setup_of(data, tmp_path) == Setup(site="north", broker="mqtts://broker.example.org:8883")


@pytest.mark.parametrize(
    ("text", "line", "words", "hint"),
    [
        (GOOD + 'languge = "fr"\n', 3, "unknown key 'languge'", "did you mean 'language'?"),
        (GOOD + WIFI + 'bed = "3"\n', 7, "unknown key 'bed'", "above the first [table]"),
        (GOOD + 'apn = "x"\n', 3, "unknown key 'apn'", "belongs into [mobile]"),
        (GOOD + 'language = "de"\n', 3, "language: invalid enum value", "annotated"),
        (GOOD + 'proxy = "http://p:1"\n', 3, "no proxy is spoken", "remove the line"),
        (GOOD + "data_cap_mib = 500\n", 3, "not counted yet", "remove the line"),
        (GOOD + "bed = ward 3\n", 3, "invalid value", "double quotes"),
        (GOOD + "bed = \u201cward 3\u201d\n", 3, "typographic quotes", '"..."'),
        (GOOD + GOOD, 3, "stands there twice", "leave one"),
        (GOOD + 'utc_offset = "1"\n', 3, "utc_offset", "+01:00"),
        (GOOD + 'voucher = "WL1-ABCD"\n', 3, "voucher", "WL1-"),
        (GOOD + "[wifi]\n" + 'name = "x"\n', 3, "the key 'country' is missing", 'country = "..."'),
        (GOOD + WIFI.replace("long enough", "short"), 6, "8 to 63", "accents"),
        (GOOD + WIFI.replace("BJ", "Benin"), 5, "'Benin' is none", '"BJ"'),
        (GOOD + WIFI + "mtu = 100\n", 7, "100 is too small", "576"),
        (GOOD + '[ethernet]\naddress = "10.0.0.5"\n', 4, "'10.0.0.5' is none", '"10.0.0.5/24"'),
        (
            GOOD + '[ethernet]\naddress = "10.0.0.5/24"\ngateway = "10.0.1.1"\ndns = ["10.0.0.1"]\n',
            5,
            "10.0.1.1 is not in the network 10.0.0.0/24",
            "mistyped",
        ),
        (GOOD + '[ethernet]\ngateway = "10.0.1.1"\n', 4, "only with an address", "DHCP"),
        (GOOD + '[mobile]\napn = "x y"\n', 4, "'x y' is none", "provider"),
        (GOOD + '[mobile]\napn = "x"\npin = 1234\n', 5, "expected `str`", "quotes"),
        (GOOD + EAP, 9, "there is no file 'ca.pem'", "PEM"),
        (GOOD + EAP.replace('"ca.pem"', '"../ca.pem"'), 9, "is a path", "beside"),
        (GOOD + EAP.replace('ca = "ca.pem"\n', ""), 3, "ca: not filled in", "always"),
        (GOOD + "[gateway]\nasc = []\n", 4, "unknown key 'asc'", "gateway.toml"),
        (GOOD + '[gateway]\n[[gateway.port]]\npath = "/dev/x"\ndriver = "contec_v8"\n', 3, "contec_v8", "contec_v7"),
        (GOOD + 'ssh_keys = ["-----BEGIN OPENSSH PRIVATE KEY-----"]\n', 3, "not a public key", "never the private"),
        ('site = "north"\nbroker = "http://x"\n', 2, "is no address", "mqtts://"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(said, text: str, line: int, words: str, hint: str) -> None:
    ((number, what, step),) = said(text)
    assert number == line
    assert words in what
    assert hint in step


def test_all_that_is_wrong_is_said_at_once_and_nothing_secret(said) -> None:
    text = GOOD + "sit = 1\nbad = 2\n" + WIFI.replace("long enough", "s3cr3t") + '[mobile]\napn = ""\npin = "s3c"\n'
    found = said(text)
    assert [line for line, _, _ in found] == [3, 4, 8, 10, 11]
    assert "s3c" not in str(found)


def test_a_voucher_must_be_of_this_site(said, tmp_path) -> None:
    text = Voucher("south", 1 << 60, bytes(32), "", bytes(range(20))).text()
    assert "for the site 'south'" in said(GOOD + f'voucher = "{text}"\n')[0][1]
    assert setup_of(GOOD.replace("north", "south") + f'voucher = "{text}"\n', tmp_path).voucher == text


def test_secrets_that_were_taken_over_stay_what_they_were(said, tmp_path) -> None:
    first = judged((GOOD + WIFI).encode(), tmp_path)
    left, places = blanked((GOOD + WIFI).encode())
    assert places == ["wifi.password"]
    assert b"long enough" not in left
    assert judged(left, tmp_path, before=first) == first
    assert [(line, words) for line, words, _ in said(left)] == [(6, "wifi.password: not filled in")]
    assert judged(left, tmp_path, laptop=True).setup.wifi.password == KEPT
    other = judged(GOOD.encode(), tmp_path)
    assert said(left, before=other)


@pytest.mark.parametrize(
    "text",
    [
        GOOD + WIFI,
        GOOD + WIFI.replace('"long enough"', "'''long\\u0020enough'''  # long enough, see the label"),
        GOOD + "# password = long enough\n" + WIFI + "\n# the end",
        GOOD + 'wifi = { name = "x", country = "BJ", password = "long enough" }\n',
        GOOD + 'wifi.name = "x"\nwifi.country = "BJ"\nwifi.password = "long enough"\n',
        (GOOD + "# 1\n" + WIFI + "# 2\n").replace("\n", "\r\n"),
        GOOD + '[mobile]\napn="x"\npin="1234"\nuser="u"\n' + WIFI,
    ],
)
def test_secrets_leave_the_file_and_nothing_else_does(text: str, tmp_path) -> None:
    before = setup_of(text, tmp_path)
    left, places = blanked(text.encode())
    assert b"long" not in left
    assert (b"\r\n" in left) == ("\r\n" in text)
    assert set(places) <= set(SECRETS)
    assert judged(left, tmp_path, before=Whole(before)).setup == before
    assert blanked(left) == (left, [])


IMAGER = """
config_version = "1.1"
[system]
hostname = "Ward3-Box"
[user]
name = "alice"
password = "changeme"
[ssh]
enabled = true
authorized_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIexampleexampleexampleexamplexx alice@laptop"]
[wlan]
ssid = "ward"
password = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
password_encrypted = true
country = "bj"
[locale]
lang = "fr_FR.UTF-8"
timezone = "Africa/Porto-Novo"
[runcmd]
early = ["rm -rf /"]
"""


def test_what_imager_asked_lies_below(tmp_path) -> None:
    under, ignored = preseed.read(IMAGER.encode())
    assert ignored == ["user.name", "user.password", "locale.timezone", "runcmd.early"]
    found = setup_of(GOOD, tmp_path, under=under)
    assert (found.hostname, found.language, found.wifi.name, found.wifi.country) == ("ward3-box", "fr", "ward", "BJ")
    assert len(found.ssh_keys) == 1
    assert "changeme" not in str(found)
    above = setup_of(GOOD + 'language = "ru"\n' + WIFI, tmp_path, under=under)
    assert (above.language, above.wifi.password) == ("ru", "long enough")
    assert preseed.read(b"\xff = [") == ({}, ["the whole file: not TOML"])


def test_a_laptop_judges_it_in_the_same_words(tmp_path, capsys) -> None:
    file = tmp_path / "wardlink.txt"
    file.write_text(GOOD + EAP)
    assert main(["check", str(file)]) == 78
    assert f"error: {file}:9: ca: there is no file 'ca.pem' beside wardlink.txt" in capsys.readouterr().err
    (tmp_path / "ca.pem").write_bytes(PEM)
    assert main(["check", str(file)]) == 0
    assert "network    ethernet, then wifi" in capsys.readouterr().out
    (tmp_path / "ca.pem").write_bytes(b"\x30\x82")
    assert main(["check", "--json", str(file)]) == 78
    assert "ca.pem is not PEM" in capsys.readouterr().out
