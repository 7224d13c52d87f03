"""Coming in by an identity provider: a real one (npm: oidc-provider), with its own pages, keys and tokens.

Runs where WARDLINK_NODE_MODULES names a folder in which `npm install oidc-provider` was done.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from centre.access import provider
from centre.access.people import User
from centre.config import Oidc
from centre.web.access import Access
from centre.web.app import make_app
from tests.system.centre_rig import free_port
from tests.system.page_source import Memory, bed
from tests.unit.test_access import SIGNER, Ward
from wire import audit

MODULES = os.environ.get("WARDLINK_NODE_MODULES", "")
BACK = "http://localhost/oidc/back"
pytestmark = pytest.mark.skipif(
    not MODULES or not shutil.which("node"), reason="WARDLINK_NODE_MODULES names no folder with oidc-provider"
)


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    port = free_port()
    program = Path(__file__).with_name("oidc_provider.mjs")
    command = ["node", str(program), str(port), BACK, MODULES]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        assert "ready" in process.stdout.readline()
        yield f"http://localhost:{port}"
        process.terminate()


class Visit:
    """A browser between our centre and the provider."""

    def __init__(self, folder: Path, issuer: str, client_id: str = "wardlink", sites: str = "") -> None:
        (folder / "secret").write_text("a secret of the test\n")
        store = Memory(bed(site="north"), bed(gateway="gw-b2", site="south"))
        oidc = Oidc(issuer, client_id, secret=str(folder / "secret"), sites_claim=sites)
        self.log = folder / "access.log"
        access = Access(folder / "users.toml", self.log, SIGNER, store, oidc, now=lambda: 0.0)
        self.app = make_app(store, store, access=access)
        self.cookies = httpx.Cookies()

    def get(self, where: str, **query: str) -> httpx.Response:
        """Asks our centre, with the cookies that it gave."""

        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost", cookies=self.cookies
            ) as browser:
                answer = await browser.get(where, params=query or None)
                self.cookies = browser.cookies
                return answer

        return asyncio.run(call())

    def begin(self, to: str = "/") -> str:
        return self.get("/oidc/start", to=to).headers["location"]

    def log_in(self, where: str, name: str) -> str:
        """Through the provider's own pages; the URL that the browser comes back with."""
        with httpx.Client(follow_redirects=False) as browser:
            answer = browser.get(where)
            for _ in range(12):
                if answer.is_redirect:
                    where = urljoin(str(answer.url), answer.headers["location"])
                    if where.startswith(BACK):
                        return where
                    answer = browser.get(where)
                else:
                    action = re.search(r'action="([^"]+)"', answer.text)
                    prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
                    assert action, answer.text
                    assert prompt, answer.text
                    said = {"prompt": prompt[1], "login": name, "password": "any"}
                    answer = browser.post(urljoin(str(answer.url), action[1]), data=said)
        raise AssertionError("the provider leads nowhere")

    def words(self) -> list[str]:
        entries = [audit.read(line)[0] for line in self.log.read_bytes().splitlines()]
        return [f"{one.who} {one.what} {one.detail.get('why', '')}".strip() for one in entries[1:]]


def test_a_doctor_of_the_hospital_comes_in(tmp_path: Path, issuer: str) -> None:
    visit = Visit(tmp_path, issuer)
    answer = visit.get(visit.log_in(visit.begin("/beds/gw-a1"), "li"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/beds/gw-a1")
    assert len(visit.get("/api/beds").json()["beds"]) == 2
    assert visit.words() == ["li login", "li list"]


def test_sites_come_with_the_person(tmp_path: Path, issuer: str) -> None:
    visit = Visit(tmp_path, issuer, sites="sites")
    visit.get(visit.log_in(visit.begin(), "anna"))
    assert [b["gateway"] for b in visit.get("/api/beds").json()["beds"]] == ["gw-a1"]
    assert visit.get("/metrics").status_code == 403


@pytest.mark.parametrize("name", ["cook", "both"])
def test_who_has_no_role_or_two_is_refused(tmp_path: Path, issuer: str, name: str) -> None:
    visit = Visit(tmp_path, issuer)
    assert visit.get(visit.log_in(visit.begin(), name)).status_code == 403
    assert visit.get("/api/beds").status_code == 401
    assert visit.words()[0].startswith("oidc refused")


def test_an_answer_counts_once_and_for_the_browser_that_asked(tmp_path: Path, issuer: str) -> None:
    visit = Visit(tmp_path, issuer)
    where = visit.log_in(visit.begin(), "li")
    visit.cookies.clear()
    assert visit.get(where).status_code == 403  # another browser: login CSRF
    where = visit.log_in(visit.begin(), "li")
    assert visit.get(where).status_code == 303
    assert visit.get(where).status_code == 403
    assert visit.get(BACK, state="made up", code="x").status_code == 403


def test_a_code_of_somebody_else_is_refused(tmp_path: Path, issuer: str) -> None:
    visit = Visit(tmp_path, issuer)
    stolen = httpx.URL(visit.log_in(visit.begin(), "li")).params["code"]
    mine = httpx.URL(visit.log_in(visit.begin(), "anna"))
    assert visit.get(str(mine.copy_merge_params({"code": stolen}))).status_code == 403  # PKCE


def test_a_provider_that_is_away_keeps_local_people_in(tmp_path: Path) -> None:
    visit = Visit(tmp_path, f"http://localhost:{free_port()}")
    assert visit.get("/oidc/start").status_code == 403
    assert Ward(tmp_path, User("a", "doctor", token="x")).ask("/healthz").status_code == 200
    assert provider.PATIENCE_S <= 10
