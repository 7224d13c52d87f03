"""`wardlink enrol`: the gateway's key, and with a voucher its certificate and whom it believes (docs/enrolment.md).

enrol [VOUCHER]    makes the key if there is none, then enrols at the address in the voucher; `-` reads it from stdin,
                   without one voucher.txt is looked for on the boot partition and on sticks
enrol request DIR  with a voucher: writes a request to a stick, where there is no network to the centre
enrol answer FILE  takes the answer that came on a stick
enrol label        what to print on the box: the id, and the text of its QR code. Holds no secret
enrol renew        another certificate, now; a running gateway does so by itself
enrol directory F  takes a directory that came alone; `-` reads it from stdin
enrol seal         seals a key that is a plain file
"""

from __future__ import annotations

import argparse

from agent.cli.run import DEFAULT_CONFIG

PROTECTIONS = ("auto", "tpm", "board", "file")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "enrol",
        help="make the gateway known to the centre",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="a voucher, or one of the verbs above and its file")
    parser.add_argument("--stick", metavar="DIR", help="look for voucher.txt there")
    parser.add_argument("--voucher", "--qr-text", metavar="TEXT", help="the voucher, or what its QR code says")
    parser.add_argument("--protect", choices=PROTECTIONS, default="auto", help="where a new key is kept")
    parser.add_argument("--config", default=DEFAULT_CONFIG, metavar="FILE", help=f"default {DEFAULT_CONFIG}")
    parser.add_argument("--json", action="store_true", help="as JSON, errors too")
    parser.add_argument("--known", default="", help=argparse.SUPPRESS)  # by the gateway: EARLIEST-LATEST, it is between
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from agent.cli import enrolment

    return enrolment.run(args)
