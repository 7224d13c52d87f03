"""What is made of a setup: gateway.toml, and NetworkManager's profiles as its own parser reads them.

`WARDLINK_NMCLI` names another nmcli than the machine's; without one, the parser's part is skipped.
"""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import config
from agent.setup import keyfile, toml
from agent.setup.render import GATEWAY, VOUCHER, rendered
from agent.setup.terms import KEPT, Ethernet, Mobile, Setup, Whole, Wifi

NMCLI = os.environ.get("WARDLINK_NMCLI") or shutil.which("nmcli")
parser = pytest.mark.skipif(NMCLI is None, reason="no nmcli here: apt-get install network-manager")
PEM = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
SETUP = Setup(site="north", broker="mqtts://b", bed='bed "3"')
WIFI = Wifi(name="a b;\u00fc", country="BJ", password="p\\w ord;#= ")
PEAP = Wifi(
    name="x", country="BJ", security="enterprise", identity="gw\\1", password=" p;\\", ca="ca.pem", server="r.example"
)
TLS = Wifi(
    name="x", country="BJ", security="enterprise", eap="tls", identity="gw", ca="ca.pem", server="r.example",
    certificate="gw.pem", key="key.pem",
)  # fmt: skip
FILES = {"ca.pem": PEM, "gw.pem": PEM, "key.pem": PEM}


def profile(way: str, setup: Setup) -> str:
    return keyfile.profiles(setup, FILES)[f"wardlink-{way}.nmconnection"]


def with_(**given) -> Setup:
    return Setup(site="north", broker="mqtts://b", **given)


def normal(text: str) -> dict[str, dict[str, str]]:
    """As NetworkManager's own parser reads it, and writes it again."""
    folder = str(Path(NMCLI).parents[1] / "lib/x86_64-linux-gnu")
    env = {**os.environ, "LD_LIBRARY_PATH": folder} if os.environ.get("WARDLINK_NMCLI") else dict(os.environ)
    words = [NMCLI, "--offline", "connection", "modify", "connection.zone", ""]
    done = subprocess.run(words, input=text, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    read = sections(done.stdout)
    for name in ("ipv4", "ipv6"):  # 1.42 writes the gateway behind the address, 1.52 beside it
        address, comma, gateway = read[name].get("address1", "").partition(",")
        read[name] |= {"address1": address, "gateway": gateway} if comma else {}
    return read


def sections(text: str) -> dict[str, dict[str, str]]:
    """Blanks at the end of a value are part of it."""
    read: dict[str, dict[str, str]] = {}
    for line in text.split("\n"):
        if line.startswith("["):
            here = read.setdefault(line.strip("[]"), {})
        elif line:
            key, _, value = line.partition("=")
            here[key] = unescaped(value)
    return read


def unescaped(value: str) -> str:
    """GKeyFile's own escapes."""
    return re.sub(r"\\(.)", lambda found: {"s": " ", "t": "\t"}.get(found[1], found[1]), value)


CASES = {
    "dhcp": ("ethernet", with_()),
    "static": ("ethernet", with_(ethernet=Ethernet("10.0.0.5/24", "10.0.0.1", ["10.0.0.1", "fd00::1"], 1400))),
    "static6": ("ethernet", with_(ethernet=Ethernet("fd00::5/64", "fd00::1", ["fd00::1"]))),
    "personal": ("wifi", with_(wifi=WIFI)),
    "wpa3": ("wifi", with_(wifi=Wifi(name="x", country="BJ", security="wpa3", password="12345678", hidden=True))),
    "peap": ("wifi", with_(wifi=PEAP)),
    "tls": ("wifi", with_(wifi=TLS)),
    "mobile": ("mobile", with_(mobile=Mobile("internet", "u", "p", "1234", mtu=1400))),
}


@parser
@pytest.mark.parametrize("name", CASES)
def test_networkmanager_takes_each_key_as_it_is_meant(name: str) -> None:
    way, setup = CASES[name]
    ours, theirs = sections(profile(way, setup)), normal(profile(way, setup))
    for section, keys in ours.items():
        for key, value in keys.items():
            if key == "ssid" and ";" not in setup.wifi.name:  # bytes; it writes letters where it can
                assert theirs[section][key] == setup.wifi.name
                continue
            if (section, key) in DEFAULTS and key not in theirs[section]:
                assert value == DEFAULTS[section, key]
                continue
            assert theirs[section].get(key) == value, (section, key)


DEFAULTS = {("connection", "autoconnect"): "true"}  # what is the default is not written again


@parser
@settings(max_examples=12, deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=8, max_size=63))
def test_a_password_is_read_as_it_was_typed(password: str) -> None:
    read = normal(profile("wifi", with_(wifi=Wifi(name="x", country="BJ", password=password))))
    assert read["wifi-security"]["psk"] == password


def test_the_order_of_the_ways_is_the_order_of_their_routes() -> None:
    made = keyfile.profiles(with_(order=["mobile", "ethernet"], mobile=Mobile("i"), wifi=WIFI), {})
    metrics = {name: sections(text)["ipv4"]["route-metric"] for name, text in made.items()}
    assert metrics == {"wardlink-mobile.nmconnection": "100", "wardlink-ethernet.nmconnection": "200"}


def test_nothing_in_a_name_or_a_password_begins_another_key() -> None:
    bad = Wifi(name="x\n[ipv4]\nmethod=disabled", country="BJ", password="\n[a]\nb=c", security="personal")
    assert set(sections(profile("wifi", with_(wifi=bad)))) == {"connection", "wifi", "wifi-security", "ipv4", "ipv6"}


def test_the_radius_server_is_always_verified() -> None:
    for wifi in (PEAP, TLS):
        eap = sections(profile("wifi", with_(wifi=wifi)))["802-1x"]
        assert eap["ca-cert"].startswith("data:;base64,")
        assert eap["domain-suffix-match"] == "r.example"


def test_gateway_toml_is_what_the_gateway_reads(tmp_path) -> None:
    extra = {
        "ask": ["ge_s5"],
        "interval_s": 0.5,
        "discover": False,
        "port": [{"path": "/dev/x", "driver": "contec_v7"}],
    }
    setup = Setup(site="north", broker="mqtts://b", bed='bed "3" \\ \x07 \u00e9', gateway=extra)
    made = {one.path: one for one in rendered(Whole(setup))}
    (tmp_path / "gateway.toml").write_bytes(made[GATEWAY].data)
    found = config.load(tmp_path / "gateway.toml")
    assert (found.site, found.bed, found.interval_s, found.discover) == ("north", setup.bed, 0.5, False)
    assert found.port[0].driver == "contec_v7"
    assert made[GATEWAY].mode == 0o640


def test_what_is_not_wanted_any_more_goes() -> None:
    made = {one.path: one for one in rendered(Whole(with_(voucher=KEPT)))}
    assert made[VOUCHER].data is None
    assert made[f"{keyfile.FOLDER}/wardlink-wifi.nmconnection"].data is None
    assert all(
        one.mode == 0o600 for one in rendered(Whole(with_(wifi=WIFI))) if "nmconnection" in one.path and one.data
    )


TEXTS = st.text(max_size=20)
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**60), 2**60) | TEXTS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_we_write_in_toml_is_read_back(raw: dict) -> None:
    assert tomllib.loads(toml.written(raw)) == raw
