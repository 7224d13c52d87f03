"""The numbers that a page and an LED can show, each with its cause and the next step; docs/codes.md has them too.

A number never changes its meaning. 11 to 19: the gateway; 20 to 29: setup and enrolment; 30 to 49: the way to the
broker; 50 to 59: time; 60 to 69: devices; 70: the program.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """`cause` and `next` in the words of docs/codes.md; where a program knows more, it says more."""

    code: int
    cause: str
    next: str


NO_GATEWAY, SETUP, STORAGE, ROOM, ENROLMENT, STRANGER, PORT, AUDIT, BINDING = range(11, 20)
EMPTY, WRONG, ROLLED_BACK, UNREACHED, VOUCHER, NO_VOUCHER = range(20, 26)
NO_NETWORK, NO_ROUTE, NO_NAME, CLOSED, NO_ANSWER, NOT_TLS, FOREIGN, BROKER_DATES = range(30, 38)
OURS, REFUSED, UNHEARD, BROKEN, FORGED, RELAY, PROXY, CAP = range(38, 46)
CLOCK, CONTRADICTION = 50, 51
UNPLUGGED, SILENT, GARBLED, RADIO, BOND = range(60, 65)
PART = 70

_ALL = (
    Meaning(NO_GATEWAY, "the gateway's program does not run", "systemctl status wardlink; then the power, off and on"),
    Meaning(SETUP, "the setup failed, and did not say how", "wardlink setup show"),
    Meaning(STORAGE, "the card refuses reads or writes, or is full", "replace the card; live data still goes out"),
    Meaning(ROOM, "what is stored here has room for less than 12 hours", "mend the link; see the other codes"),
    Meaning(ENROLMENT, "the certificate cannot be renewed", "wardlink status says why; docs/enrolment.md"),
    Meaning(STRANGER, "a device speaks that no driver understands", "wardlink devices; its baud rate; docs/devices.md"),
    Meaning(PORT, "a port cannot be opened", "wardlink status; is its path in gateway.toml right?"),
    Meaning(AUDIT, "the audit log cannot be written", "look at the card"),
    Meaning(BINDING, "who the patient is cannot be known", "systemctl status wardlink"),
    Meaning(EMPTY, "wardlink.txt is missing or not filled in", "fill in site, broker and voucher; docs/setup.md"),
    Meaning(WRONG, "wardlink.txt has an error", "wardlink setup show; on a laptop: wardlink check wardlink.txt"),
    Meaning(
        ROLLED_BACK,
        "with the new wardlink.txt the broker was not reached; the last good one is in force again",
        "correct wardlink.txt: wardlink setup show says what was wrong",
    ),
    Meaning(
        UNREACHED,
        "with wardlink.txt the broker is not reached, and there is no earlier one to go back to",
        "it goes on trying; wardlink status says what is wrong",
    ),
    Meaning(VOUCHER, "the centre refuses the voucher", "used, expired or of another site: ask the centre for another"),
    Meaning(NO_VOUCHER, "the gateway is not enrolled, and has no voucher", "put a voucher into wardlink.txt"),
    Meaning(NO_NETWORK, "no network: no cable, no Wi-Fi, or no address", "cable, Wi-Fi name and password, APN"),
    Meaning(NO_ROUTE, "there is an address, but no way out of the local network", "gateway in wardlink.txt; DHCP"),
    Meaning(NO_NAME, "the broker's name cannot be resolved", "the name in wardlink.txt, and the network's DNS"),
    Meaning(CLOSED, "the broker's machine refuses the port", "the port in wardlink.txt; does the broker run?"),
    Meaning(NO_ANSWER, "the broker does not answer", "a firewall: let the gateway out to the broker's port"),
    Meaning(
        NOT_TLS,
        "something else answers in the broker's place, without TLS",
        "a sign-in page of the network (let the gateway through without it), or a wrong port",
    ),
    Meaning(FOREIGN, "another authority's certificate is shown to us", "a firewall that opens TLS: make an exception"),
    Meaning(BROKER_DATES, "the broker's certificate has expired or is of another name", "the centre must renew it"),
    Meaning(OURS, "the broker refuses the gateway's certificate", "enrol the gateway again; docs/enrolment.md"),
    Meaning(REFUSED, "the broker refuses what we send", "the ACL and quota of this gateway at the broker"),
    Meaning(UNHEARD, "the broker takes it, but no centre listens", "the centre: does it run, is it subscribed?"),
    Meaning(BROKEN, "the link breaks again and again", "the network; the broker's log"),
    Meaning(FORGED, "receipts, commands or times are signed by somebody else", "is centre.pub the centre's?"),
    Meaning(RELAY, "a dead gateway's backlog cannot be delivered", "wardlink status says why"),
    Meaning(
        PROXY,
        "the hospital's proxy is not reached, or does not let us through",
        "proxy in wardlink.txt; ask that the broker's port be let through, or the centre for one at port 443",
    ),
    Meaning(
        CAP,
        "the month's volume is nearly used, and waves wait here; readings and alarms go on",
        "nothing is lost: a cable, or another data_cap_mib; else it goes with the next month",
    ),
    Meaning(CLOCK, "nobody confirms what time it is", "NTP (ntp in wardlink.txt), or the centre's time port"),
    Meaning(CONTRADICTION, "two clocks contradict each other", "one of them is wrong: wardlink time"),
    Meaning(UNPLUGGED, "a device's adapter is gone", "the cable, and the path in gateway.toml"),
    Meaning(SILENT, "a device is plugged in, and says nothing", "is it on, and set to send? wardlink drivers ID"),
    Meaning(GARBLED, "a device speaks, but nothing of it is understood", "its baud rate: wardlink drivers ID"),
    Meaning(RADIO, "a device by radio, or the radio itself, does not work", "wardlink status; docs/radio.md"),
    Meaning(BOND, "a device by radio does not prove its bond", "at the bed: wardlink bond"),
    Meaning(PART, "a part of the program fails again and again", "send the log: wardlink bundle"),
)
MEANINGS = {meaning.code: meaning for meaning in _ALL}
