"""Row 19: the bedside page: markup, foreign hosts, frames, forged deeds, slow and endless requests.

The real process behind a real socket, with raw requests. Deeds change whose data it is: one that does not come from our
own page never reaches the gateway. Names that are attacks: `tests/page/test_page.py`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlencode

import pytest

from agent.binding.words import Unbind
from agent.page import server
from tests.attack.long import long
from tests.attack.test_row_19_pages import answered, status
from tests.page import beds
from tests.page.test_page import Somebody
from tests.page.ward import Bench, bench
from tests.system.bell import until

LONG_BYTES = 2**20


@pytest.fixture(scope="module")
def page() -> Iterator[Bench]:
    with bench("en", 'hosts = ["bed-3.example.org"]\n') as one:
        one.write(beds.status())
        one.tell(beds.KNOWN)
        until(lambda: "fact known" in one.get("/en")[2])
        yield one


def said(page: Bench, request: str, *headers: str, host: str = "", body: bytes = b"") -> str:
    lines = [f"{request} HTTP/1.1", f"Host: {host or f'127.0.0.1:{page.port}'}", *headers]
    return answered(("127.0.0.1", page.port), lines, body)


def posted(page: Bench, fields: dict[str, str], *headers: str, host: str = "") -> int:
    body = urlencode(fields).encode()
    kind = ("Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}")
    return status(said(page, "POST /en/deed", *kind, *headers, host=host, body=body))


@pytest.fixture
def somebody(page: Bench) -> Somebody:
    return Somebody(page).known()


def own(somebody: Somebody) -> tuple[dict[str, str], str]:
    """A good form, and its cookie."""
    token = somebody.text.partition('name="token" value="')[2].partition('"')[0]
    return {"token": token, "deed": "unbind"}, f"Cookie: {somebody.cookie}"


@pytest.mark.parametrize("path", ["/", "/ar", "/en/patient", "/technician", "/static/page.js", "/nothing", "/en/deed"])
def test_no_answer_may_be_framed_or_run_what_is_not_ours(page: Bench, path: str) -> None:
    head = said(page, f"GET {path}").partition("\r\n\r\n")[0].lower()
    for policy in ("frame-ancestors 'none'", "default-src 'none'", "script-src 'self';", "form-action 'self'"):
        assert policy in head
    assert "x-frame-options: deny" in head
    assert "unsafe" not in head
    assert "nosniff" in head
    assert "access-control-allow" not in head
    assert "server:" not in head
    assert "no-store" in head or "/static/" in path


def test_there_is_no_script_and_no_style_within_the_page(page: Bench) -> None:
    for path in ("/ar", "/en/patient"):
        text = page.get(path)[2].lower()
        assert text.count("<script") == text.count('<script src="/static/')
        assert "<style" not in text
        assert " style=" not in text
        assert " on" not in [word[:3] for word in text.split("<") if "=" in word and word.startswith("on")]


HOSTS = [
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.",
    "[::1]x",
    "10.0.0.5",
    "[::1]",
    "a@127.0.0.1",
    "127.1",
    "x/y",
]


@pytest.mark.parametrize("host", HOSTS)
def test_another_name_for_our_address_is_not_served(page: Bench, host: str) -> None:
    assert status(said(page, "GET /en", host=host)) in (400, 421)


@pytest.mark.parametrize("host", ["wardlink.local", "WARDLINK.local:80", "bed-3.example.org", "localhost", "127.0.0.1"])
def test_our_own_names_are(page: Bench, host: str) -> None:
    assert status(said(page, "GET /en", host=host)) == 200


def test_two_hosts_and_an_absolute_address_do_not_help(page: Bench) -> None:
    assert status(said(page, "GET /en", "Host: evil.example")) in (400, 421)
    assert status(said(page, "GET http://evil.example/en", host="evil.example")) in (400, 421)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
def test_only_three_methods_exist(page: Bench, method: str) -> None:
    answer = said(page, f"{method} /en", "Origin: http://evil.example")
    assert status(answer) in (400, 405)
    assert "access-control-allow" not in answer.lower()


def test_a_deed_from_our_own_page_is_done(page: Bench, somebody: Somebody) -> None:
    fields, cookie = own(somebody)
    assert posted(page, fields, cookie, f"Origin: {page.origin}") == 303
    assert isinstance(page.deeds[-1], Unbind)
    assert posted(page, fields, cookie, f"Referer: {page.origin}/en/patient") == 303


FOREIGN = [
    "Origin: http://evil.example",
    "Origin: null",
    "Origin: http://127.0.0.1:1",
    "Referer: http://evil.example/127.0.0.1",
    "X-Nothing: at all",
    "Origin: {origin}\r\nOrigin: http://evil.example",
    "Origin: {origin}\r\nSec-Fetch-Site: cross-site",
    "Origin: {origin}.evil.example",
]


@pytest.mark.parametrize("header", FOREIGN)
def test_a_forged_deed_is_refused_and_never_sent(page: Bench, somebody: Somebody, header: str) -> None:
    fields, cookie = own(somebody)
    assert posted(page, fields, cookie, header.format(origin=page.origin)) == 403
    assert not page.deeds


def test_a_deed_without_its_token_or_cookie_is_not_done(page: Bench, somebody: Somebody) -> None:
    fields, cookie = own(somebody)
    origin = f"Origin: {page.origin}"
    other, _ = own(Somebody(page).known())
    page.deeds.clear()
    for wrong in ({}, {"token": ""}, {"token": "ü" * 48}, {"token": fields["token"][:-1]}, other):
        assert posted(page, {**fields, "token": "", **wrong}, cookie, origin) == 303
    for wrong_cookie in ("Cookie: x=1", "Cookie: wardlink=", "Cookie: wardlink=" + "a" * 48):
        assert posted(page, fields, wrong_cookie, origin) == 303
    assert not page.deeds


def test_the_cookie_goes_nowhere_else(page: Bench) -> None:
    cookie = page.get("/en/patient")[1]["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_what_is_no_form_does_nothing(page: Bench, somebody: Somebody) -> None:
    _, cookie = own(somebody)
    for body in (b"", b"\xff\xfe", b"&" * 8000, b"a=b&" * 2000, b'{"deed":"unbind"}', b"token=%ff&deed=unbind"):
        head = (f"Content-Length: {len(body)}", cookie, f"Origin: {page.origin}")
        assert status(said(page, "POST /en/deed", *head, body=body)) in (303, 413)
    assert not page.deeds


@pytest.mark.parametrize("head", ["Content-Length: {size}", "Transfer-Encoding: chunked"])
def test_a_body_of_a_megabyte_is_refused(page: Bench, head: str) -> None:
    body = b"a" * LONG_BYTES
    if "chunked" in head:
        body = f"{LONG_BYTES:x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    answer = said(page, "POST /en/deed", head.format(size=LONG_BYTES), f"Origin: {page.origin}", body=body)
    assert status(answer) in (0, 413)
    assert status(said(page, "GET /en")) == 200


def test_a_head_that_is_too_long_is_refused(page: Bench) -> None:
    assert status(said(page, "GET /en", "X-Long: " + "a" * 200_000)) in (0, 400, 431)
    assert status(said(page, "GET /" + "a" * 200_000)) in (0, 400, 414)
    assert status(said(page, "GET /en?" + "a" * 2000)) == 414
    assert status(said(page, "GET /en")) == 200


OUTSIDE = ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "//etc/passwd", "/static//etc/passwd")


@pytest.mark.parametrize("path", [*OUTSIDE, "/static/", "/templates/base.html", "/en/../static/x"])
def test_no_file_but_ours_is_given(page: Bench, path: str) -> None:
    answer = said(page, f"GET {path}")
    assert status(answer) in (400, 404)
    assert "import " not in answer


def test_a_header_that_is_asked_back_is_not_given(page: Bench) -> None:
    for path in ("/en%0d%0aSet-Cookie:%20x=1", "/en/patient?step=%0d%0aSet-Cookie:x&episode=%3Cscript%3E"):
        answer = said(page, f"GET {path}")
        assert "x=1" not in answer.partition("\r\n\r\n")[0].lower()
        assert "<script>" not in answer


@contextmanager
def neighbour(page: Bench, count: int) -> Iterator[list[socket.socket]]:
    """Connections of 127.0.0.2 that begin a request and never end it."""
    with ExitStack() as held:
        slow = []
        for _ in range(count):
            one = held.enter_context(socket.socket())
            one.bind(("127.0.0.2", 0))
            one.settimeout(server.CONNECTION_LIMIT_S + 5)
            one.connect(("127.0.0.1", page.port))
            with suppress(OSError):
                one.sendall(b"GET /en HTTP/1.1\r\nX-Slow: ")
            slow.append(one)
        yield slow


def ended(one: socket.socket) -> bool:
    with suppress(ConnectionError):
        return one.recv(1) == b""
    return True


def test_who_holds_too_many_connections_is_hung_up_on_and_others_are_served(page: Bench) -> None:
    with neighbour(page, server.CONNECTIONS_OF_ONE_LIMIT_COUNT + 8) as slow:
        for one in slow[server.CONNECTIONS_OF_ONE_LIMIT_COUNT :]:
            assert ended(one)
        assert status(said(page, "GET /en")) == 200


@long
def test_who_sends_a_byte_now_and_then_is_hung_up_on(page: Bench) -> None:
    with neighbour(page, 4) as slow:
        assert all(ended(one) for one in slow)
    assert status(said(page, "GET /en")) == 200


def test_a_flood_of_visits_keeps_a_nurse_who_said_who_she_is(page: Bench, somebody: Somebody) -> None:
    for _ in range(200):
        said(page, "GET /en/patient")
    fields, cookie = own(somebody)
    assert posted(page, fields, cookie, f"Origin: {page.origin}") == 303
    assert isinstance(page.deeds[-1], Unbind)
