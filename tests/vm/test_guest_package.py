"""The packages as an engineer installs them on Debian 13, and the units in them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.bell import until
from tests.vm import package
from tests.vm.bedside import CONFIG, STATE, UNIT, do
from tests.vm.cage import tried

UNITS = Path("/usr/lib/systemd/system")
MACHINE = Path("/usr/share/wardlink/machine")
EXPOSURES = {  # `systemd-analyze security`, at most
    "wardlink": 1.6,
    "wardlink-page": 1.2,
    "wardlink-enrol": 2.3,
    "wardlink-firstboot": 2.7,
    "wardlink-time-floor": 2.0,
    "wardlink-setup-watch": 3.0,
    "wardlink-led": 1.2,
    "wardlink-adt": 1.2,
    "wardlink-log": 1.2,
    "wardlink-stick@ubda": 1.3,
    "wardlink-centre": 1.2,
    "wardlink-fleet": 1.2,
}
USER_SPACE_S = 10.0
PATIENCE_S = 60.0


@pytest.fixture
def installed() -> None:
    package.install()


@pytest.fixture
def centre() -> None:
    package.install()
    package.install(package.CENTRE)


def test_debian_is_up_in_time(installed) -> None:
    """Without the gateway: the guest's packages come later. `python -m tests.vm cuts` times boots with it."""
    said = do("systemd-analyze", "time")
    print(said)
    found = re.search(r"\+ (?:([0-9]+)min )?([0-9.]+)s \(userspace\)", said)
    assert found, said
    assert int(found[1] or 0) * 60 + float(found[2]) <= USER_SPACE_S


def test_it_is_ours_and_from_the_package(installed) -> None:
    assert "install ok installed" in do("dpkg-query", "-W", "-f=${Status}", "wardlink")
    altered = [line for line in do("dpkg", "--verify", "wardlink").splitlines() if "/usr/share/doc/" not in line]
    assert not altered, "the guest has no documents, and else all"
    words = "import agent, cryptography, numpy, sys; print(agent.__file__, cryptography.__file__, numpy.__file__)"
    starter = Path("/opt/wardlink/bin/wardlink").read_text().partition("from agent")[0]
    found = do("/usr/bin/python3", "-I", "-c", f"{starter}\n{words}").split()
    assert [path.split("/")[1] for path in found] == ["opt", "opt", "usr"]


def test_a_newcomer_is_told_what_is_missing(installed) -> None:
    shutil.rmtree(CONFIG.parent, ignore_errors=True)
    do("systemd-tmpfiles", "--create", "wardlink.conf")
    assert CONFIG.parent.stat().st_mode & 0o777 == 0o750
    do("wardlink", "check", check=False)
    do("systemctl", "start", UNIT.name)
    assert do("systemctl", "show", "-P", "ConditionResult", UNIT.name).strip() == "no"


def test_a_gateway_runs_from_it(bedside) -> None:
    assert "every" not in do("wardlink", "check")
    status = json.loads(do("wardlink", "status", "--json", check=False))
    assert status
    assert (
        Path(f"/proc/{do('systemctl', 'show', '-P', 'MainPID', UNIT.name).strip()}/exe").resolve().name == "python3.13"
    )
    print(bedside.worth())


def test_systemd_finds_no_fault_in_any_unit(centre) -> None:
    ours = sorted(str(path) for path in UNITS.glob("wardlink*"))
    assert len(ours) >= len(EXPOSURES)
    do("systemd-analyze", "verify", *ours, limit_s=PATIENCE_S)
    do("udevadm", "verify", "/usr/lib/udev/rules.d/60-wardlink.rules", "/usr/lib/udev/rules.d/61-wardlink-stick.rules")


def test_little_is_open(centre) -> None:
    found = {}
    for name in EXPOSURES:
        said = do("systemd-analyze", "security", "--no-pager", f"{name}.service")
        found[name] = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)[1])
    print(found)
    assert not [name for name, exposure in found.items() if exposure > EXPOSURES[name]]


PAGE = {
    "open('/run/wardlink/status.json').read(1)": "done",
    "__import__('socket').create_server(('', 8081)).close()": "EPERM",
    "open('/etc/wardlink/keys/gateway.key')": "EACCES",
    "__import__('os').listdir('/var/lib/wardlink')": "EACCES",
    "__import__('os').listdir('/run/wardlink/tape')": "EACCES",
    "open('/dev/ttyS1', 'rb')": "ENOENT",
    "open('/run/wardlink/status.json', 'a')": "EACCES",
}


def test_the_page_has_the_status_and_its_port_and_nothing_else(bedside) -> None:
    until((Path("/run/wardlink") / "status.json").exists, PATIENCE_S)
    Path("/run/wardlink/tape").mkdir(exist_ok=True)
    found = dict(zip(PAGE, tried("wardlink-page.service", list(PAGE)), strict=True))
    assert found == PAGE


OFFLINE = ("wardlink-firstboot", "wardlink-time-floor", "wardlink-led", "wardlink-log", "wardlink-stick@ubda")


@pytest.mark.parametrize("name", OFFLINE)
def test_what_needs_no_network_has_none(installed, name) -> None:
    calls = ["__import__('socket').socket(__import__('socket').AF_INET)", "open('/usr/x', 'w')"]
    assert tried(f"{name}.service", calls) == ["EAFNOSUPPORT", "EROFS"]


@pytest.fixture
def wall() -> Iterator[None]:
    """The guest's clock, set right again."""
    import time

    before, then = time.time(), time.monotonic()
    yield
    time.clock_settime(time.CLOCK_REALTIME, before + time.monotonic() - then)


@pytest.mark.parametrize(("boots_at", "is_raised"), [("1970-01-02", True), ("2019-05-01", True), ("2099-01-01", False)])
def test_the_clock_is_raised_to_the_floor_and_never_set_back(installed, wall, boots_at, is_raised) -> None:
    do("date", "--set", boots_at)
    do("systemctl", "restart", "wardlink-time-floor.service")
    year = int(do("date", "+%Y"))
    assert (year == 2026) is is_raised
    assert year == 2026 or year == int(boots_at[:4])


def test_the_floor_is_also_what_the_centre_signed_last(installed, wall) -> None:
    data = json.dumps({"utc": 1_893_456_000_000_000}).encode()  # 2030-01-01
    STATE.mkdir(exist_ok=True)
    (STATE / "time").write_bytes(len(data).to_bytes(4, "big") + data)
    try:
        do("date", "--set", "2027-01-01")
        do("systemctl", "restart", "wardlink-time-floor.service")
        assert do("date", "+%Y").strip() == "2030"
    finally:
        (STATE / "time").unlink()


SETUP = {
    "__import__('socket').sethostname('guest')": "done",
    "open('/etc/hostname', 'a').close()": "done",
    "assert os.system('mount -o remount,rw /boot/firmware') == 0": "done",
    "open('/boot/firmware/wardlink.txt', 'a').close()": "done",
    "open('/var/log/x', 'w')": "EROFS",
    "os.mknod('/run/y', 0o20600, 1 << 8 | 1)": "EPERM",
    "os.mknod('/run/x', 0o60600, 98 << 8)": "EPERM",
}


@pytest.mark.parametrize("name", ["wardlink-firstboot", "wardlink-setup-watch"])
def test_the_setup_may_write_the_boot_partition_for_a_moment(installed, name) -> None:
    Path("/boot/firmware").mkdir(exist_ok=True)
    do("mount", "-t", "tmpfs", "-o", "ro", "none", "/boot/firmware")
    try:
        assert dict(zip(SETUP, tried(f"{name}.service", list(SETUP)), strict=True)) == SETUP
    finally:
        do("umount", "/boot/firmware")


def test_the_last_of_the_log_is_kept_in_a_ring(installed) -> None:
    folder = Path("/var/lib/wardlink-log")
    shutil.rmtree(folder, ignore_errors=True)
    do("sh", "-c", "echo it hangs | systemd-cat -t wardlink -p warning; journalctl --sync")
    do("systemctl", "start", "wardlink-log.service")
    assert "it hangs" in (folder / "log.0").read_text()
    size = (folder / "log.0").stat().st_size
    do("systemctl", "start", "wardlink-log.service")
    assert "it hangs" not in (folder / "log.0").read_text()[size:], "what was kept is not kept again"
    for _ in range(3):
        with (folder / "log.0").open("a") as log:
            log.write("x" * 131072)
        do("sh", "-c", "echo again | systemd-cat -t wardlink -p warning; journalctl --sync")
        do("systemctl", "start", "wardlink-log.service")
    kept = sorted(path.name for path in folder.glob("log.*"))
    assert kept == ["log.0", "log.1", "log.2", "log.3"]


USERS = {
    "wardlink": {"wardlink", "dialout", "input"},
    "wardlink-page": {"wardlink-page"},
    "wardlink-adt": {"wardlink-adt"},
}
FOLDERS = {
    "/etc/wardlink": ("root", "wardlink", 0o750),
    "/etc/wardlink/keys": ("wardlink", "wardlink", 0o700),
    "/var/lib/wardlink": ("wardlink", "wardlink", 0o700),
    "/run/wardlink": ("wardlink", "wardlink", 0o755),
    "/run/wardlink/bed.sock.d": ("wardlink", "wardlink-page", 0o2710),
    "/run/wardlink/adt.sock.d": ("wardlink", "wardlink-adt", 0o2710),
}


def test_its_users_and_folders_are_there(installed) -> None:
    do("systemd-tmpfiles", "--create", "wardlink.conf")
    assert {user: set(do("id", "-Gn", user).split()) for user in USERS} == USERS
    found = {place: Path(place) for place in FOLDERS}
    assert {
        place: (path.owner(), path.group(), path.stat().st_mode & 0o7777) for place, path in found.items()
    } == FOLDERS


def test_the_journal_is_in_memory_and_bounded(installed) -> None:
    """With the machine's settings; what lasts is the ring of wardlink-log, above."""
    added = Path("/run/systemd/journald.conf.d")
    shutil.copytree(MACHINE / "systemd/journald.conf.d", added)
    try:
        do("systemctl", "restart", "systemd-journald.service", limit_s=PATIENCE_S)
        do("sh", "-c", "echo kept in memory | systemd-cat -t wardlink; journalctl --sync")
        headers = do("journalctl", "--header", "-b").split("File path: ")[1:]
        written = [head.split()[0] for head in headers if "State: ONLINE" in head]
        assert written
        assert all(file.startswith("/run/log/journal/") for file in written), written
        said = do("journalctl", "-u", "systemd-journald", "-o", "cat", "--no-pager")
        assert re.search(r"max 32M", said), said
    finally:
        shutil.rmtree(added)
        do("systemctl", "restart", "systemd-journald.service", limit_s=PATIENCE_S)


def test_the_machines_settings_are_understood(installed) -> None:
    assert {path.name for path in MACHINE.rglob("*.conf")} == {"60-wardlink.conf"}
    do("sysctl", "--load", str(MACHINE / "sysctl.d/60-wardlink.conf"))
    assert Path("/proc/sys/kernel/panic").read_text().strip() == "10"
    manager = Path("/run/systemd/system.conf.d")
    shutil.copytree(MACHINE / "systemd/system.conf.d", manager)
    try:
        do("systemctl", "daemon-reexec", limit_s=PATIENCE_S)
        assert do("systemctl", "show", "-P", "RuntimeWatchdogUSec").strip() == "15s"
        assert "watchdog" in do("systemctl", "show", "-P", "WatchdogDevice")
    finally:
        shutil.rmtree(manager)
        do("systemctl", "daemon-reexec", limit_s=PATIENCE_S)


def test_installed_again_it_goes_on_and_purged_it_keeps_what_was_recorded(bedside) -> None:
    before = bedside.devices()
    again = do("dpkg", "--install", "/host/wardlink.deb", limit_s=package.INSTALLING_S)
    assert "Setting up wardlink" in again
    until(lambda: do("systemctl", "is-active", UNIT.name, check=False).strip() == "active", PATIENCE_S)
    assert bedside.devices() == before
    do("dpkg", "--purge", package.CENTRE, check=False, limit_s=package.INSTALLING_S)
    do("dpkg", "--purge", "wardlink", limit_s=package.INSTALLING_S)
    try:
        assert (CONFIG.parent / "keys" / "gateway.key").exists()
        assert list((STATE / "spool").glob("*.seg"))
        assert not Path("/opt/wardlink/bin").exists()
        assert not UNIT.exists()
    finally:
        package.install()
