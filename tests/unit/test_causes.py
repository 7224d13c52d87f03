"""What each word of the uplink means, what the kernel tells of the network, and that each number is explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent.health import causes, net
from agent.uplink.dates import Dates, DatesError, Known, check
from agent.uplink.tls import _ALERTS, explain, explain_text
from config import codes

DOCS = Path(__file__).parents[2] / "docs"
ROUTE = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
LOCAL = "eth0\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
OUT = "eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
OUT6 = f"{'0' * 32} 00 {'0' * 32} 00 fd{'0' * 29}1 00000400 00000001 00000000 00000003 eth0\n"
LOOP6 = f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 00000001 00000000 00200200 lo\n"


@pytest.mark.parametrize("name", _ALERTS)
def test_every_alert_has_a_number(name: str) -> None:
    said = explain_text(name, "broker", 8883).message
    assert causes.link_code(said) != codes.BROKEN or name in ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (explain(TimeoutError(), "b", 1).message, codes.NO_ANSWER),
        (explain(ConnectionRefusedError(), "b", 1).message, codes.CLOSED),
        (explain(OSError(101, "Network is unreachable"), "b", 1).message, codes.NO_ROUTE),
        (explain(OSError(113, "No route to host"), "b", 1).message, codes.NO_ANSWER),
        ("the broker refuses our envelopes: Not authorized", codes.REFUSED),
        ("the broker refuses the connection: Not authorized", codes.REFUSED),
        ("nobody listens: the broker has no subscriber for our envelopes", codes.UNHEARD),
        ("b:1 closed the connection", codes.BROKEN),
        ("the broker has stopped answering", codes.BROKEN),
    ],
)
def test_what_the_uplink_says_has_a_number(said: str, code: int) -> None:
    assert causes.link_code(said) == code


def test_certificates_that_do_not_hold_have_a_number() -> None:
    for begin, end in ((0, 5), (20, 30)):
        with pytest.raises(DatesError) as caught:
            check(Dates(begin, end), Known(10, 12, "ntp"), "the broker's certificate")
        assert causes.link_code(caught.value.message) == codes.BROKER_DATES
        assert any(word in caught.value.message for word in causes._DATES)


def machine(root: Path, carrier: str = "1", routes: str = LOCAL + OUT, routes6: str = LOOP6) -> net.Net | None:
    for name, text in (("eth0", carrier), ("lo", "1")):
        (root / "sys/class/net" / name).mkdir(parents=True, exist_ok=True)
        (root / "sys/class/net" / name / "carrier").write_text(f"{text}\n")
    (root / "proc/self/net").mkdir(parents=True, exist_ok=True)
    (root / "proc/self/net/route").write_text(ROUTE + routes)
    (root / "proc/self/net/ipv6_route").write_text(routes6)
    return net.look(root)


def test_the_kernel_tells_what_is_linked_and_where_it_leads(tmp_path) -> None:
    assert net.look(tmp_path) is None
    assert machine(tmp_path) == net.Net(("eth0",), True, True)
    assert machine(tmp_path, carrier="0", routes="") == net.Net((), False, False)
    assert machine(tmp_path, routes="") == net.Net(("eth0",), False, False)
    assert machine(tmp_path, routes=LOCAL) == net.Net(("eth0",), True, False)
    assert machine(tmp_path, routes="", routes6=LOOP6 + OUT6) == net.Net(("eth0",), True, True)


def test_the_table_in_the_documentation_is_the_table() -> None:
    rows = re.findall(r"(?m)^\| (\d+) \| (.*?) \| (.*?) \|$", (DOCS / "codes.md").read_text(encoding="utf-8"))
    assert rows == [(str(one.code), one.cause, one.next) for one in codes.MEANINGS.values()]
    assert len(codes.MEANINGS) == len({one.cause for one in codes.MEANINGS.values()})
    named = {value for name, value in vars(codes).items() if name.isupper() and isinstance(value, int)}
    assert named == set(codes.MEANINGS)
