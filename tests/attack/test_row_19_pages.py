"""Row 19: the centre's pages, from outside: names as markup, foreign hosts and origins, frames, forged requests.

The real centre behind a real socket, with raw requests: no client of ours that would make them polite. What a browser
does with the answers is tried in `tests/system/test_page.py`. There is no way to change anything over these pages, so
there is nothing to forge. (The bedside page and the endpoint of enrolment have tests of their own.)
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from centre.access import people
from centre.access.people import User
from tests.attack.ward import Hospital
from tests.system.bell import until
from tests.system.gateway_rig import Gateway, Mosquitto

TOKEN = "of a program"
KNOWN = f"Authorization: Bearer {TOKEN}"  # strangers are refused before: tests/unit/test_access.py
EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e'


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    folder = tmp_path_factory.mktemp("pages")
    mosquitto = Mosquitto(folder)
    mosquitto.start()
    gateway = Gateway(folder, f"mqtt://127.0.0.1:{mosquitto.port}")
    hospital = Hospital(folder, gateway, mosquitto.port, EVIL)
    host, _, port = hospital.listen.partition(":")
    people.write(hospital.config.users_file, (User("t", "doctor", token=people.token_hash(TOKEN)),))
    with hospital.centre():
        until(lambda: socket.socket().connect_ex((host, int(port))) == 0)
        yield host, int(port)
    gateway.close()
    mosquitto.stop()


def said(centre: tuple[str, int], request: str, *headers: str, host: str = "localhost", body: bytes = b"") -> str:
    return answered(centre, [f"{request} HTTP/1.1", f"Host: {host}", "Connection: close", KNOWN, *headers], body)


def answered(at: tuple[str, int], lines: list[str], body: bytes) -> str:
    """All that comes back on a connection of its own."""
    with socket.create_connection(at, timeout=15) as sock:
        got = b""
        with suppress(ConnectionError):  # who asks for too much is hung up on
            sock.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
            while data := sock.recv(65536):
                got += data
        return got.decode("utf-8", "replace")


def status(answer: str) -> int:
    return int(answer.split(" ", 2)[1]) if answer else 0


@pytest.mark.parametrize("path", ["/", "/api/beds", "/beds/x", "/static/bed.js", "/nothing"])
def test_no_answer_may_be_framed_or_run_what_is_not_ours(centre: tuple[str, int], path: str) -> None:
    head = said(centre, f"GET {path}").partition("\r\n\r\n")[0].lower()
    assert "frame-ancestors 'none'" in head
    assert "x-frame-options: deny" in head
    assert "default-src 'none'" in head
    assert "unsafe" not in head
    assert "nosniff" in head
    assert "access-control-allow" not in head


def test_a_name_of_markup_is_data_and_not_markup(centre: tuple[str, int]) -> None:
    answer = said(centre, "GET /api/beds")
    head, _, body = answer.partition("\r\n\r\n")
    assert "application/json" in head
    assert "<script>" in body
    assert "\u202e" not in body
    for path in ("/", "/beds/anything"):
        assert "alert(1)" not in said(centre, f"GET {path}")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "[::1]x", ""])
def test_another_name_for_our_address_is_not_served(centre: tuple[str, int], host: str) -> None:
    assert status(said(centre, "GET /api/beds", host=host)) in (400, 421)


def test_two_hosts_and_an_absolute_address_do_not_help(centre: tuple[str, int]) -> None:
    assert status(said(centre, "GET /api/beds", "Host: evil.example")) in (400, 421)
    assert status(said(centre, "GET http://evil.example/api/beds", host="evil.example")) in (400, 421)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
def test_nothing_changes_anything(centre: tuple[str, int], method: str) -> None:
    headers = ("Origin: https://evil.example", "Content-Length: 2", "Content-Type: text/plain")
    answer = said(centre, f"{method} /api/beds", *headers, body=b"{}")
    assert status(answer) in (400, 404, 405)
    assert "access-control-allow" not in answer.lower()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "file://"])
def test_a_foreign_page_opens_no_socket(centre: tuple[str, int], origin: str) -> None:
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", key, "Sec-WebSocket-Version: 13", f"Origin: {origin}")
    assert status(said(centre, "GET /api/beds/x/live", *upgrade)) in (400, 403, 404)


OUTSIDE = ("/static/../../config.py", "/static/%2e%2e/%2e%2e/run.py", "/static/..%2f..%2frun.py", "//etc/passwd")


@pytest.mark.parametrize("path", [*OUTSIDE, "/static//etc/passwd"])
def test_no_file_but_ours_is_given(centre: tuple[str, int], path: str) -> None:
    answer = said(centre, f"GET {path}")
    assert status(answer) in (400, 404, 405)
    assert "import " not in answer
    assert "root:" not in answer


def test_what_is_too_long_is_refused_and_the_next_is_answered(centre: tuple[str, int]) -> None:
    assert status(said(centre, "GET /api/beds", "X-Long: " + "a" * 200_000)) in (0, 400, 431)
    assert status(said(centre, "GET /" + "a" * 200_000)) in (0, 400, 404, 414)
    assert status(said(centre, "GET /api/beds")) == 200


def test_a_header_that_is_asked_back_is_not_given(centre: tuple[str, int]) -> None:
    answer = said(centre, "GET /api/beds/%0d%0aSet-Cookie:%20x=1/streams")
    assert "set-cookie" not in answer.partition("\r\n\r\n")[0].lower()
