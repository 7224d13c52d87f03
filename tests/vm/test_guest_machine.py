"""The guest is what it should be: the tests beside this one would prove nothing on another machine."""

from functools import partial
from pathlib import Path

import serial

from tests.system.bell import until
from tests.vm.bedside import do

NINE = [9600, 8, "N", 1]


def test_it_is_debian_under_systemd() -> None:
    assert Path("/proc/1/comm").read_text().strip() == "systemd"
    assert do("systemd-detect-virt").strip() == "uml"
    assert "trixie" in Path("/etc/os-release").read_text()


def adapter(serial_number: str) -> Path:
    """Its name by-id, once udev has given it one."""
    path = Path(f"/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_{serial_number}-if00-port0")
    until(path.exists)
    return path


def test_an_emulated_adapter_is_a_real_port_with_modem_lines(bus) -> None:
    bus.do("plug", "one", socket=0, serial="WL000001")
    path = adapter("WL000001")
    with serial.Serial(str(path), 19200, bytesize=7, parity="E", timeout=5) as port:
        seen = bus.do("look", "one")
        assert seen["host"] == {"baud": 19200, "bits": 7, "parity": "E", "stop": 1.0}
        assert (seen["dtr"], seen["rts"]) == (True, True)
        port.write(b"?ID\r")
        until(lambda: bytes.fromhex(bus.do("look", "one")["heard"]) == b"?ID\r")
        bus.do("say", "one", hex=b"NELLCOR\r\n".hex(), line=[19200, 7, "E", 1])
        assert port.readline() == b"NELLCOR\r\n"
        assert (port.cts, port.dsr, port.ri, port.cd) == (True, True, False, True)
        bus.do("modem", "one", cts=False, cd=False)
        until(lambda: (port.cts, port.cd) == (False, False))
        port.dtr = False
        until(lambda: bus.do("look", "one")["dtr"] is False)


def test_another_speed_brings_bytes_and_none_of_them_right(bus) -> None:
    bus.do("plug", "one", socket=0, serial="WL000001")
    with serial.Serial(str(adapter("WL000001")), 4800, timeout=5) as port:
        bus.do("say", "one", hex=b"NELLCOR\r\n".hex(), line=NINE)
        heard = port.read(9)
        assert len(heard) == 9
        assert b"NELLCOR" not in heard


def test_unplugged_is_gone_and_the_socket_is_free_again(bus) -> None:
    for _ in range(2):
        bus.do("plug", "one", socket=3, serial="WL000001")
        path = adapter("WL000001")
        bus.do("unplug", "one")
        until(partial(_is_gone, path))
        until(lambda: 3 in bus.do("free"))


def _is_gone(path: Path) -> bool:
    return not path.is_symlink()


def test_udev_finds_no_fault_in_our_rules() -> None:
    do("udevadm", "verify", "/wardlink/systemd/60-wardlink.rules")
