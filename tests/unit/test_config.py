"""The configuration: what an engineer may get wrong is named with its line, and what was probably meant."""

import re
import socket
from pathlib import Path

import msgspec
import pytest

from agent import config, lines
from config.load import ConfigError
from drivers import registry

SHIPPED = Path(__file__).parents[2] / "config" / "gateway.toml"
GOOD = 'site = "north"\nbroker = "mqtts://broker:8883"\n'
PORT = '\n[[port]]\npath = "/dev/ttyUSB0"\ndriver = "contec_v7"\n'
ASKED = '\n[[port]]\npath = "/dev/ttyUSB0"\nprobe = "ask"\n'
OTHER = PORT.replace("USB0", "USB1")


def far(path: str, driver: str = "mindray_hl7", more: str = "") -> str:
    return GOOD + f'\n[[port]]\npath = "{path}"\ndriver = "{driver}"\n{more}'


@pytest.fixture
def said(tmp_path):
    """What is said of a text: the message after the file's name, and the hint."""

    def of(text: str | bytes) -> tuple[str, str]:
        path = tmp_path / "gateway.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ConfigError) as caught:
            config.load(path)
        return str(caught.value).removeprefix(str(path)), caught.value.hint

    return of


def test_the_file_that_ships_says_every_key_with_its_default(tmp_path) -> None:
    shipped = config.load(SHIPPED)
    assert shipped == config.Config(site=shipped.site, broker=shipped.broker)
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    path = tmp_path / "gateway.toml"
    path.write_text("\n".join(line[1:] if re.match("#[^ ]", line) else line for line in lines), encoding="utf-8")
    whole = config.load(path)
    assert msgspec.structs.replace(whole, port=[], radio=[]) == shipped
    assert whole.port == [config.Port(whole.port[0].path, whole.port[0].driver)]
    assert whole.radio == [config.Radio(whole.radio[0].address, whole.radio[0].driver)]
    for kind in (config.Config, config.Port, config.Radio, config.SpoolSizes):
        assert all(re.search(rf"(?m)^#?(\[+)?{key}\b", "\n".join(lines)) for key in kind.__struct_fields__)


def test_two_keys_are_enough(tmp_path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(GOOD + PORT)
    found = config.load(path)
    assert (found.broker_host, found.broker_port, found.broker_tls) == ("broker", 8883, True)
    assert found.port[0].driver == "contec_v7"


@pytest.mark.parametrize(
    "path", ["tcp://10.0.0.5:4601", "tcp://[fd00::5]:4601", "tcp-from://10.0.0.5:6600", "tcp-from://[FD00::5]:6600"]
)
def test_a_device_on_the_network_is_pinned_by_its_address(tmp_path, path: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(far(path))
    found = config.load(file).port[0]
    assert found.path == path
    place = lines.place_of(registry.driver(found.driver), found)
    assert place.host == ("fd00::5" if "[" in path else "10.0.0.5")
    assert place.family == (socket.AF_INET6 if "[" in path else socket.AF_INET)


@pytest.mark.parametrize(
    ("broker", "port"), [("mqtt://a", 1883), ("mqtts://a", 8883), ("mqtt://a:1", 1), ("mqtt://[::1]:99", 99)]
)
def test_the_port_of_a_broker_has_a_default(broker: str, port: int) -> None:
    assert config.Config(site="a", broker=broker).broker_port == port


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (GOOD + 'bedd = "3"', ":3: unknown key 'bedd'", "did you mean 'bed'?"),
        (GOOD + "[spool]\nvital_mb = 9", ":4: unknown key 'vital_mb'", "did you mean 'vital_mib'?"),
        (GOOD + "[spool]\nsite = 9", ":4: unknown key 'site'", "known keys: key_mib, vital_mib, wave_mib"),
        (GOOD + PORT + OTHER + "bauds = 9600", ":11: unknown key 'bauds'", "did you mean 'baud'?"),
        (GOOD + "zzz = 1", ":3: unknown key 'zzz'", "known keys: ask, bed, broker, confirm, data_cap_mib"),
        (GOOD + "interval_s = 99", ":3: Expected `float` <= 10.0", "annotated"),
        (GOOD + 'interval_s = "1"', ":3: Expected `float`, got `str`", "annotated"),
        (GOOD + 'confirm = "maybe"', ":3: Invalid enum value 'maybe'", "annotated"),
        (GOOD + "[spool]\n# note\nwave_mib = 1", ":5: Expected `int` >= 8", "annotated"),
        (GOOD + PORT + "baud = 9600\n" + PORT + 'baud = "fast"', ":12: Expected `int`, got `str`", "annotated"),
        (GOOD + '[[port]]\ndriver = "contec_v7"', ":3: the key 'path' is missing", "annotated"),
        ('broker = "mqtt://a"', ": the key 'site' is missing", "annotated"),
        ("", ": the key 'site' is missing", "annotated"),
        ("site = 5\n" + 'broker = "mqtt://a"', ":1: Expected `str`, got `int`", "annotated"),
        (GOOD + "bed = 3 3", ": Expected newline", "double quotes"),
        (GOOD + "bed = ward", ": Invalid value", "double quotes"),
        (GOOD + 'site = "x"', ": Cannot overwrite a value", "double quotes"),
        (b'site = "\xff"', ": not UTF-8 text", "save it as UTF-8"),
        (GOOD + PORT.replace("_v7", "_v77"), ": port /dev/ttyUSB0: no driver is called 'contec_v77'", "'contec_v7'"),
        (GOOD + PORT + PORT, ": a port stands there twice", "one [[port]] for each device"),
        (GOOD + ASKED.replace("probe", "driver"), ": port /dev/ttyUSB0: no driver is called 'ask'", "there are"),
        (GOOD + ASKED + 'driver = "ge_s5"', ": port /dev/ttyUSB0: either a driver or a probe", "pins one"),
        (GOOD + ASKED + "baud = 9600", ": port /dev/ttyUSB0: baud and options are for a driver", "every setting"),
        (GOOD + ASKED + 'drivers = ["ge_5"]', ": port /dev/ttyUSB0: no driver is called 'ge_5'", "'ge_s5'"),
        (GOOD + ASKED + 'drivers = ["ivy_450c"]', ": port /dev/ttyUSB0: ivy_450c asks nothing", "listening"),
        (GOOD + PORT + 'drivers = ["ge_s5"]', ": port /dev/ttyUSB0: drivers are for a probe that asks", "ask"),
        (GOOD + 'ask = ["polar_h10"]', ": ask: polar_h10 asks nothing on a serial port", "listening"),
        (far("serial:///dev/a"), ": port serial:///dev/a: there is no serial://", "tcp://, tcp-from://, udp://"),
        (far("tcp://10.0.0.5"), ": port tcp://10.0.0.5: the port number is missing", 'like "tcp://10.0.0.5:4601"'),
        (far("tcp-from://10.0.0.5:0"), ": port tcp-from://10.0.0.5:0: the port number is missing", "tcp-from://"),
        (far("tcp://10.0.0.5:99999"), ": port tcp://10.0.0.5:99999: the port number is none", "1 to 65535"),
        (far("tcp://monitor:4601"), ": port tcp://monitor:4601: 'monitor:4601' is no numeric address", "not looked up"),
        (far("tcp://:4601"), ": port tcp://:4601: ':4601' is no numeric address and port", "10.0.0.5:4601"),
        (far("tcp://10.0.0.5:4601/x"), ": port tcp://10.0.0.5:4601/x: '10.0.0.5:4601/x' is no", "10.0.0.5:4601"),
        (far("tcp://a@10.0.0.5:4601"), ": port tcp://a@10.0.0.5:4601: 'a@10.0.0.5:4601' is no", "10.0.0.5:4601"),
        (far("udp://10.0.0.5:1"), ": port udp://10.0.0.5:1: mindray_hl7 is not found on udp://", "TCP 4601"),
        (far("tcp://10.0.0.5:1", "contec_v7"), ": port tcp://10.0.0.5:1: contec_v7 is not found on tcp://", "115200"),
        (far("/dev/ttyS0"), ": port /dev/ttyS0: mindray_hl7 is not found on serial ports", "the device calls"),
        (far("tcp://10.0.0.5:1", more="baud = 9"), ": port tcp://10.0.0.5:1: baud is for serial ports", "leave it out"),
        (GOOD.replace("north", "Nord 1"), ": site 'Nord 1' is not a name", "a-z"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(said, text, message: str, hint: str) -> None:
    found, advice = said(text)
    assert found.startswith(message)
    assert hint in advice


@pytest.mark.parametrize(
    "broker",
    ["broker", "http://a", "mqtt://", "mqtt:///x", "mqtt://a:0", "mqtt://a:99999", "mqtt://a:x", "mqtt://[::1", "MQTT"],
)
def test_what_is_no_broker_is_refused(said, broker: str) -> None:
    message, hint = said(f'site = "a"\nbroker = "{broker}"')
    assert message == f": broker {broker!r} is no address"
    assert "mqtts://" in hint


def test_what_cannot_be_read_is_said(tmp_path) -> None:
    with pytest.raises(ConfigError, match="No such file") as caught:
        config.load(tmp_path / "none.toml")
    assert caught.value.hint == "name another file with --config"
    with pytest.raises(ConfigError, match="Is a directory"):
        config.load(tmp_path)


RADIO = '[[radio]]\naddress = "C0:11:22:33:44:55"\ndriver = "gatt_oximeter"\n'


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (RADIO + RADIO, "stands there twice"),
        (RADIO.replace("C0:11", "c0:11"), "not an address"),
        (RADIO.replace("gatt_oximeter", "contec_v7"), "not found by radio"),
        (RADIO + 'passkey = "12345"\n', "six digits"),
        (RADIO.replace("gatt_oximeter", "gatt_oximetre"), "no driver is called"),
    ],
)
def test_a_radio_that_cannot_be_is_refused(tmp_path, wrong: str, words: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(GOOD + RADIO)
    assert config.load(path).radio == [config.Radio("C0:11:22:33:44:55", "gatt_oximeter")]
    path.write_text(GOOD + wrong)
    with pytest.raises(config.ConfigError, match=words):
        config.load(path)


def test_who_may_be_asked_for_is_who_is_named_or_all_that_ask(tmp_path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(GOOD + ASKED + 'drivers = ["ge_s5", "draeger_medibus"]' + ASKED.replace("USB0", "USB1"))
    narrow, wide = config.load(path).port
    assert config.askable(narrow) == ("ge_s5", "draeger_medibus")
    assert {"ge_s5", "philips_intellivue", "contec_v7"} < set(config.askable(wide))
    assert not {"ivy_450c", "polar_h10"} & set(config.askable(wide))
    assert config.askable(msgspec.structs.replace(wide, probe="listen")) == ()
