"""Who may look: people, sessions, rights, the log of looks, and the door in front of every path there is."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from agent.cli import entry
from centre.access import people, rights
from centre.access.looks import AGAIN_S, Looks, LooksError
from centre.access.people import People, Person, User
from centre.access.rights import Kind
from centre.access.sessions import IDLE_LIMIT_S, LIFE_LIMIT_S, SESSIONS_LIMIT_COUNT, Sessions
from centre.web.access import Access
from centre.web.app import make_app
from centre.web.door import FORBIDDEN, SESSION_ENDED
from config.load import ConfigError
from tests.system.page_caller import socket
from tests.system.page_source import Memory, Said, bed
from wire import audit

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(32))
PASSWORD = "a sentence nobody guesses"
LI, ANNA, OTTO = Person("li", "doctor"), Person("anna", "nurse", ("north",)), Person("otto", "engineer")
HASH = people.hashed(PASSWORD)
OURS = {"Origin": "http://localhost"}


class Ward:
    """An application with a door, its people, and a clock that is set by hand."""

    def __init__(self, folder: Path, *users: User) -> None:
        self.seconds = 0.0
        self.file, self.log = folder / "users.toml", folder / "access.log"
        self.store = Memory(bed(site="north"), bed(gateway="gw-b2", site="south"))
        people.write(self.file, users or (User("li", "doctor", password=HASH), *TOKENS))
        self.access = Access(self.file, self.log, SIGNER, self.store, now=lambda: self.seconds)
        self.app = make_app(self.store, self.store, access=self.access)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url="http://localhost")

    def ask(self, path: str, who: str = "", method: str = "GET", **headers: str) -> httpx.Response:
        """`who`: whose token goes with it."""
        known = {"Authorization": f"Bearer token of {who}"} if who else {}

        async def call() -> httpx.Response:
            async with self.client() as client:
                return await client.request(method, path, headers=known | headers)

        return asyncio.run(call())

    def looks(self) -> list[tuple[str, str, str]]:
        """(who, what, at) of every line but those that begin the file."""
        lines = self.log.read_bytes().splitlines()
        audit.verify(lines, SIGNER.public_key())
        found = [audit.read(line)[0] for line in lines]
        return [(one.who, one.what, one.detail.get("at", "")) for one in found if one.what != audit.PART]


TOKENS = tuple(
    User(who.name + "-t", who.role, who.sites, token=people.token_hash(f"token of {who.name}"))
    for who in (LI, ANNA, OTTO)
)


def paths(app: FastAPI) -> list[str]:
    """Every path that the application answers, with its gateway named."""
    said = {"/", "/beds/gw-a1", "/beds/gw-a1/live", "/openapi.json", "/asyncapi.yaml", "/login", "/logout", "/docs"}
    return sorted(said | {re.sub(r"\{[^}]*\}", "gw-a1", path) for path in app.openapi()["paths"]})


def test_nothing_is_readable_without_an_account(tmp_path: Path) -> None:
    ward = Ward(tmp_path)
    asked = paths(ward.app)
    assert {"/api/beds", "/api/beds/gw-a1/samples", "/metrics", "/beds/gw-a1", "/openapi.json"} <= set(asked)
    for path in asked:
        if rights.kind_of(path) is not Kind.OPEN:
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "wardlink=wrong"}):
                answer = ward.ask(path, **headers)
                assert answer.status_code in (303, 401), path
                assert "north" not in answer.text
    assert ward.looks() == []


def test_what_is_open_shows_nothing(tmp_path: Path) -> None:
    ward = Ward(tmp_path)
    known = [path for path in paths(ward.app) if rights.kind_of(path) is Kind.OPEN]
    assert known == ["/healthz", "/login", "/logout"]
    assert ward.ask("/healthz").status_code == 200
    assert ward.ask("/static/page.css").status_code == 200
    assert ward.ask("/static/../access/people.py").status_code in (303, 401)


@pytest.mark.parametrize(
    ("path", "who"),
    [
        ("/api/beds", "li anna otto"),
        ("/api/beds/gw-a1/numerics", "li anna"),
        ("/api/beds/gw-a1/samples", "li anna"),
        ("/api/beds/gw-a1/history", "li anna"),
        ("/api/beds/gw-a1/ecg", "li anna"),
        ("/api/beds/gw-a1/export/ecg12.pdf", "li"),
        ("/beds/gw-a1/ecg12", "li anna otto"),
        ("/api/beds/gw-a1/notices", "li anna"),
        ("/api/beds/gw-a1/streams", "li anna otto"),
        ("/api/beds/gw-a1/ledger", "li otto"),
        ("/api/beds/gw-a1/audit", "li otto"),
        ("/metrics", "li otto"),
        ("/api/beds/gw-a1/export/wfdb", "li"),
        ("/api/whatever-comes-later", "li"),
    ],
)
def test_each_role_sees_its_own(tmp_path: Path, path: str, who: str) -> None:
    ward = Ward(tmp_path)
    may = {name for name in ("li", "anna", "otto") if ward.ask(path, name).status_code not in (401, 403)}
    assert may == set(who.split())


def test_beds_of_other_sites_are_not_there(tmp_path: Path) -> None:
    ward = Ward(tmp_path)
    assert [b["gateway"] for b in ward.ask("/api/beds", "anna").json()["beds"]] == ["gw-a1"]
    assert len(ward.ask("/api/beds", "li").json()["beds"]) == 2
    assert ward.ask("/api/beds/gw-b2/notices", "anna").status_code == 404
    assert ward.ask("/api/beds/gw-b2/notices", "anna").json() == ward.ask("/api/beds/gw-b2/notices", "anna").json()
    assert ward.ask("/beds/gw-b2", "anna").status_code == 404
    assert ("anna-t", "clinical", "gw-b2") not in ward.looks()


def test_an_engineer_sees_no_pseudonym(tmp_path: Path) -> None:
    ward = Ward(tmp_path)
    assert {b["pseudonym"] for b in ward.ask("/api/beds", "otto").json()["beds"]} == {""}
    assert any(b["pseudonym"] for b in ward.ask("/api/beds", "li").json()["beds"])


def test_a_look_is_written_once_in_ten_minutes_and_before_it_is_answered(tmp_path: Path) -> None:
    ward = Ward(tmp_path)
    for _ in range(3):
        ward.ask("/api/beds/gw-a1/notices", "li")
    assert ward.looks() == [("li-t", "clinical", "gw-a1")]
    ward.seconds = AGAIN_S
    ward.ask("/api/beds/gw-a1/notices", "li")
    assert ward.looks() == [("li-t", "clinical", "gw-a1")] * 2


def test_what_cannot_be_written_down_is_not_shown(tmp_path: Path) -> None:
    ward = Ward(tmp_path)
    ward.log.rename(tmp_path / "kept")
    ward.log.mkdir()
    answer = ward.ask("/api/beds/gw-a1/notices", "li")
    assert answer.status_code == 503
    assert "notices" not in answer.json()
    assert ward.ask("/healthz").status_code == 200


def login(ward: Ward, name: str = "li", password: str = PASSWORD, to: str = "/", **headers: str) -> httpx.Response:
    async def call() -> httpx.Response:
        async with ward.client() as client:
            said = {"name": name, "password": password, "to": to}
            return await client.post("/login", data=said, headers=OURS | headers)

    return asyncio.run(call())


def test_a_person_comes_in_and_leaves(tmp_path: Path) -> None:
    ward = Ward(tmp_path)
    assert "/login?to=/beds/gw-a1" in ward.ask("/beds/gw-a1").headers["location"]
    answer = login(ward, to="/beds/gw-a1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/beds/gw-a1")
    given = answer.headers["set-cookie"]
    assert "HttpOnly" in given
    assert "SameSite=Lax" in given
    mine = {"Cookie": given.split(";")[0]}
    assert ward.ask("/api/beds/gw-a1/ledger", **mine).status_code == 200
    assert ward.ask("/logout", method="POST", **mine, **OURS).status_code == 303
    assert ward.ask("/api/beds/gw-a1/ledger", **mine).status_code == 401
    assert [what for _, what, _ in ward.looks()] == ["login", "technical", "logout"]


def test_a_session_ends_by_age_by_rest_and_by_taking_the_person_out(tmp_path: Path) -> None:
    ward = Ward(tmp_path)

    def mine() -> dict[str, str]:
        return {"Cookie": login(ward).headers["set-cookie"].split(";")[0]}

    rested = mine()
    ward.seconds += IDLE_LIMIT_S
    assert ward.ask("/api/beds", **rested).status_code == 401
    used = mine()
    for _ in range(int(LIFE_LIMIT_S / IDLE_LIMIT_S) * 2 - 1):
        ward.seconds += IDLE_LIMIT_S / 2
        assert ward.ask("/api/beds", **used).status_code == 200
    ward.seconds += IDLE_LIMIT_S / 2
    assert ward.ask("/api/beds", **used).status_code == 401
    removed = mine()
    people.write(ward.file, TOKENS)
    assert ward.ask("/api/beds", **removed).status_code == 401


def test_wrong_and_unknown_names_are_told_alike_and_slowed(tmp_path: Path) -> None:
    ward = Ward(tmp_path)
    assert login(ward, password="x").text == login(ward, name="nobody", password="x").text
    assert [login(ward, password="x").status_code for _ in range(5)][-1] == 429
    assert login(ward).status_code == 429
    ward.seconds += 400
    assert login(ward).status_code == 303
    assert {who for who, what, _ in ward.looks() if what == "refused"} == {"li", "nobody"}
    assert PASSWORD not in ward.log.read_text()


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:1", "/\r\nx"])
def test_nobody_is_led_away(tmp_path: Path, to: str) -> None:
    assert login(Ward(tmp_path), to=to).headers["location"] == "/"


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null"])
def test_a_foreign_page_logs_nobody_in_or_out(tmp_path: Path, origin: str | None) -> None:
    ward = Ward(tmp_path)
    for path in ("/login", "/logout"):
        assert ward.ask(path, method="POST", **({"Origin": origin} if origin else {})).status_code == 403


def test_markup_in_what_was_typed_is_inert(tmp_path: Path) -> None:
    answer = login(Ward(tmp_path), password="x", to='/"><script>alert(1)</script>')
    assert "<script>" not in answer.text
    assert login(Ward(tmp_path), name="<b>", password="x").status_code == 403


def test_a_flood_in_the_form_is_not_read(tmp_path: Path) -> None:
    assert login(Ward(tmp_path), password="x" * 1_000_000).status_code == 403


def test_a_socket_opens_for_its_people_and_closes_with_the_session(tmp_path: Path) -> None:
    ward = Ward(tmp_path)
    mine = login(ward).headers["set-cookie"].split(";")[0]

    async def call() -> list[object]:
        async with socket(ward.app, "gw-a1", cookie="wardlink=wrong") as reader:
            refused = [(await reader.said.get())["type"], (await reader.said.get())["code"]]
        async with socket(ward.app, "gw-a1", cookie=mine) as reader:
            opened = [(await reader.said.get())["type"], (await reader.said.get())["type"]]
            ward.seconds += LIFE_LIMIT_S
            while (said := await reader.said.get())["type"] != "websocket.close":
                ward.seconds += 1
            return [*refused, *opened, said["code"]]

    assert asyncio.run(call()) == [
        "websocket.accept",
        SESSION_ENDED,
        "websocket.accept",
        "websocket.send",
        SESSION_ENDED,
    ]


@pytest.mark.parametrize("who", ["li", "anna", "otto", "nobody"])
@pytest.mark.parametrize("gateway", ["gw-a1", "gw-b2"])
def test_what_is_live_is_for_whom_its_history_is(tmp_path: Path, who: str, gateway: str) -> None:
    ward = Ward(tmp_path)
    answer = ward.ask(f"/api/beds/{gateway}/history?from=0&to=2000000", who)

    async def call() -> str:
        async with socket(ward.app, gateway, authorization=f"Bearer token of {who}") as reader:
            assert (await reader.said.get())["type"] == "websocket.accept"
            return str((await reader.said.get())["type"])

    assert asyncio.run(call()) == ("websocket.send" if answer.status_code == 200 else "websocket.close")
    expected = {"li": True, "anna": gateway == "gw-a1"}
    assert (answer.status_code == 200) == expected.get(who, False)


@pytest.mark.parametrize(
    ("after", "code"),
    [
        (User("anna-t", "nurse", ("south",), token=people.token_hash("token of anna")), FORBIDDEN),
        (User("anna-t", "engineer", ("north",), token=people.token_hash("token of anna")), FORBIDDEN),
        (User("anna-t", "nurse", ("north",), token=people.token_hash("another token")), SESSION_ENDED),
    ],
)
def test_rights_that_are_taken_end_an_open_socket(tmp_path: Path, after: User, code: int) -> None:
    ward = Ward(tmp_path)

    async def call() -> object:
        async with socket(ward.app, "gw-a1", authorization="Bearer token of anna") as reader:
            assert [(await reader.said.get())["type"] for _ in range(2)] == ["websocket.accept", "websocket.send"]
            people.write(ward.file, (after,))
            while True:
                ward.store.say(Said("gw-a1"))
                said = await reader.said.get()
                if said["type"] == "websocket.close":
                    return said["code"]

    assert asyncio.run(call()) == code


def test_sessions_are_bounded_and_kept_by_their_hash() -> None:
    dice = iter(range(SESSIONS_LIMIT_COUNT + 2))
    sessions = Sessions(lambda: 0.0, lambda count: next(dice).to_bytes(count, "big"))
    words = [sessions.open(LI) for _ in range(SESSIONS_LIMIT_COUNT + 1)]
    assert sessions.person(words[0]) is None
    assert sessions.person(words[-1]) == LI
    assert not any(word.encode() in repr(vars(sessions)).encode() for word in words[-3:])


def test_a_torn_line_is_cut_and_said_and_the_chain_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "log"

    def opened(signer: Ed25519PrivateKey = SIGNER) -> Looks:
        return Looks(file, signer, lambda: 1, lambda: 0.0)

    opened().looked(LI, "clinical", "gw-a1")
    whole = file.read_bytes()
    file.write_bytes(whole + whole.splitlines()[-1][:50])
    opened().looked(LI, "clinical", "gw-a1")
    lines = file.read_bytes().splitlines()
    assert audit.verify(lines, SIGNER.public_key()).count == 4
    assert [audit.read(line)[0].what for line in lines] == ["part", "clinical", "torn", "clinical"]
    file.write_text("a poem\n")
    with pytest.raises(ConfigError):
        opened()


def test_a_log_without_room_is_an_error(tmp_path: Path) -> None:
    looks = Looks(tmp_path / "log", SIGNER, lambda: 1, lambda: 0.0)
    (tmp_path / "log").unlink()
    (tmp_path / "log").mkdir()
    with pytest.raises(LooksError):
        looks.happened("li", "login")


def test_people_are_let_in_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:  # type: ignore[no-untyped-def]
    config = tmp_path / "centre.toml"
    config.write_text(f'broker = "mqtt://localhost"\nkeys = "{tmp_path}"\n')

    def wardlink(*words: str, typed: str = "") -> int:
        monkeypatch.setattr("sys.stdin", __import__("io").StringIO(typed))
        return entry.main(["centre", "user", *words, "--config", str(config)])

    assert wardlink("add", "li", "--role", "doctor", typed=PASSWORD + "\n") == 0
    assert wardlink("add", "probe", "--role", "engineer", "--site", "north", "--token") == 0
    token = capsys.readouterr().out.strip()
    known = People(tmp_path / "users.toml")
    assert known.by_password("li", PASSWORD) == Person("li", "doctor")
    assert known.by_password("li", "wrong") is None
    assert known.by_password("probe", "") is None
    assert known.by_token(token) == Person("probe", "engineer", ("north",))
    assert (tmp_path / "users.toml").stat().st_mode & 0o077 == 0
    assert token not in (tmp_path / "users.toml").read_text()
    assert wardlink("add", "mei", "--role", "nurse", typed="short\n") == 78
    assert wardlink("remove", "li") == 0
    assert wardlink("remove", "li") == 1
    assert known.find("li") is None
