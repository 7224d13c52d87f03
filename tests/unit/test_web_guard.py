"""Strangers: host names, origins, methods, and text (REQUIREMENTS attack rows 18 and 19)."""

import asyncio

import pytest

from centre.web.app import make_app
from centre.web.guard import host_of
from centre.web.plain import TEXT_LIMIT_CHARS, plain
from tests.system.page_caller import ask, get, socket
from tests.system.page_source import Memory, bed, stream

PATHS = ("/", "/beds/gw-a1", "/static/bed.js", "/api/beds", "/api/nothing", "/openapi.json", "/asyncapi.yaml")


def app(memory=None, **options):
    memory = memory or Memory(bed())
    return make_app(memory, memory, **options)


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_forbids_what_a_page_of_ours_never_needs(path):
    headers = ask(app(), path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_patient_data_is_kept_by_no_browser():
    assert ask(app(), "/api/beds").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "localhost@evil.example", "", "[::1", "a b"]
)
def test_a_foreign_host_name_is_refused(host):
    said = ask(app(), "/api/beds", Host=host)
    assert said.status_code == 421
    assert "beds" not in said.json()


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8480", "127.0.0.1:80", "[fd00::7]:8480"])
def test_our_own_names_are_served(host):
    assert ask(app(hosts=("localhost", "127.0.0.1", "fd00::7")), "/api/beds", Host=host).status_code == 200


def test_two_host_headers_are_refused():
    async def call():
        said = []

        async def send(part):
            said.append(part)

        scope = {"type": "http", "method": "GET", "path": "/api/beds", "raw_path": b"/api/beds", "query_string": b""}
        scope |= {"headers": [(b"host", b"localhost"), (b"host", b"evil.example")], "scheme": "http"}
        await app()(scope, lambda: None, send)
        return said[0]["status"]

    assert asyncio.run(call()) == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(method):
    assert ask(app(), "/api/beds", method).status_code == 405


@pytest.mark.parametrize(
    ("headers", "opens"),
    [
        ({}, True),
        ({"origin": "http://localhost"}, True),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "http://localhost:1234"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://evil.example", "host": "evil.example"}, False),
        ({"host": "evil.example"}, False),
    ],
)
def test_the_socket_opens_for_our_own_pages_only(headers, opens):
    async def call():
        async with socket(app(), "gw-a1", **headers) as reader:
            return (await reader.frame())["type"]

    assert asyncio.run(call()) == ("websocket.accept" if opens else "websocket.close")


HOSTILE = [
    "<script>alert(1)</script>",
    "\u202egnp.exe\u202c",
    "a\u2066b\u2069",
    "line\r\nSet-Cookie: x",
    "\x1b[31mred\x00",
    "x" * 1_000_000,
    "e" + "\u0301" * 1000,
    "\ud800",
    "\u2028\u2029\ufeff\u200b",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_strangers_text_is_one_short_harmless_line(text):
    shown = plain(text)
    assert len(shown) <= TEXT_LIMIT_CHARS
    assert shown.isprintable()
    assert shown.encode("utf-8")
    assert plain(shown) == shown


@pytest.mark.parametrize("text", ["Bed 4, window", "Кровать 2", "გამარჯობა", "床 12", "سرير ٣", "Ligne é"])
def test_names_in_any_script_stay_as_they_are(text):
    assert plain(text) == text


def test_hostile_names_pass_through_no_answer():
    async def call():
        name = "<img src=x>\u202e" + "y" * 1_000_000
        memory = Memory(bed(bed=name, status=name, pseudonym=name))
        memory.catalogue.append(stream(0, name, name, model=name, maker=name, serial=name, filter=name))
        return [await get(app(memory), path) for path in ("/api/beds", "/api/beds/gw-a1/streams")]

    for said in asyncio.run(call()):
        assert said.headers["content-type"] == "application/json"
        assert len(said.content) < 4000
        assert "\u202e" not in said.text


def test_host_names_are_read_without_port_and_user():
    assert host_of("//localhost:80") == "localhost"
    assert host_of("//[fd00::7]:80") == "fd00::7"
    assert host_of("//localhost:x") is None
    assert host_of("//user@localhost") is None
