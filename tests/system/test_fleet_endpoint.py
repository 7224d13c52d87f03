"""The real endpoint over TLS: a plain EST client (curl, openssl), our own requests, refusals, and the audit."""

import base64
import hashlib
import io
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from agent.cli.entry import main
from agent.enrol import farewell
from centre.fleet import listener
from tests import fleet_rig, trusted
from tests.fleet_rig import Gateway
from tests.system.centre_rig import free_port, until
from wire import directory, request, voucher
from wire.keys import verifier_text
from wire.voucher import Voucher

pytestmark = pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="no curl or openssl")
ROOT = Path(__file__).parents[2]
WARDLINK = (sys.executable, "-m", "agent.cli.entry", "fleet")
EST = "/.well-known/est"


class Centre:
    """`wardlink fleet` and its endpoint, which is a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        (folder / "stick").mkdir()
        root = folder / "stick" / "root.pem"
        self.does("init", folder / "fleet", "--root", root, "--enrol", self.url, "--passphrase-env", "ROOT_PASSPHRASE")
        self.does("site", "add", "north")
        self.does("recipient", "add", "north", "centre", fleet_rig.CENTRE.recipient.text(), "--role", "centre")
        self.does("centre-key", "add", fleet_rig.CENTRE_KEY)
        words = [*WARDLINK, "--folder", folder / "fleet", "serve", "--listen", f"127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(list(map(str, words)), cwd=ROOT, stderr=subprocess.PIPE, text=True)
        assert any("running on" in line for line in self.process.stderr), "it ended"
        self.ca = folder / "ca.crt"
        self.ca.write_bytes(self.does("roots"))

    def does(self, *words: object, code: int = 0) -> bytes:
        """What a verb says; the same program as on the command line, without its start."""
        said, told = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(told):
            patch.setenv("ROOT_PASSPHRASE", "six words of a dictionary")
            found = main(["fleet", "--folder", str(self.folder / "fleet"), *map(str, words)])
        assert found == code, told.buffer.getvalue().decode()
        self.told = told.buffer.getvalue().decode()
        return said.buffer.getvalue() if code == 0 else told.buffer.getvalue()

    def voucher(self) -> Voucher:
        return voucher.read(self.does("voucher", "north").decode())

    def curl(self, path: str, *more: object, data: bytes | None = None) -> tuple[int, bytes]:
        """(status, body)."""
        words = ["curl", "-s", "--cacert", self.ca, "-w", "%{stderr}%{http_code}", *more]
        words += [] if data is None else ["--data-binary", "@-"]
        run = subprocess.run([*map(str, words), self.url + path], input=data, capture_output=True, check=True)
        return int(run.stderr), run.stdout

    def roots(self) -> list[bytes]:
        blocks = re.findall(r"-----BEGIN CERT.*?END CERTIFICATE-----", self.ca.read_text(), re.DOTALL)
        return [ssl.PEM_cert_to_DER_cert(block + "\n") for block in blocks]

    def audited(self, what: str) -> list[dict[str, str]]:
        lines = [json.loads(line) for line in self.does("audit", "show").splitlines()]
        return [line["detail"] | {"who": line["who"]} for line in lines if line["what"] == what]

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=20)


@pytest.fixture(scope="module")
def centre(tmp_path_factory) -> Iterator[Centre]:
    made = Centre(tmp_path_factory.mktemp("centre"))
    yield made
    made.end()
    assert made.process.returncode == 0


def openssl(*words: object, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *map(str, words)], input=given, capture_output=True, check=True).stdout


def basic(one: Voucher) -> str:
    return f"{one.name}:{base64.b32encode(one.secret).decode()}"


def test_a_plain_est_client_enrols(centre, tmp_path) -> None:
    one = centre.voucher()
    # RFC 7030, 4.1.1: the roots come from whoever answers, and are held against the hash that the voucher names
    status, packed = centre.curl(f"{EST}/cacerts", "-k")
    (tmp_path / "cacerts.pem").write_bytes(openssl("pkcs7", "-inform", "DER", "-print_certs", given=unpacked(packed)))
    assert status == 200
    assert one.root in [hashlib.sha256(root).digest() for root in centre.roots()]
    assert centre.ca.read_text().split()[4] in (tmp_path / "cacerts.pem").read_text()

    key = tmp_path / "gateway.key"
    openssl("genpkey", "-algorithm", "ed25519", "-out", key)
    public = openssl("pkey", "-in", key, "-pubout", "-outform", "DER")[-32:]
    name = base64.b32encode(hashlib.sha256(b"wardlink gateway" + public).digest()).decode().lower()[:20]
    csr = base64.b64encode(openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-outform", "DER"))
    kind = ("-H", "Content-Type: application/pkcs10")
    status, packed = centre.curl(
        f"{EST}/simpleenroll", "--anyauth", "-u", basic(one), *kind, "--data-raw", csr.decode()
    )
    assert status == 200
    leaf = tmp_path / "gateway.crt"
    leaf.write_bytes(openssl("pkcs7", "-inform", "DER", "-print_certs", given=unpacked(packed)))
    chain = tmp_path / "cacerts.pem"
    assert b"OK" in openssl("verify", "-purpose", "sslclient", "-CAfile", centre.ca, "-untrusted", chain, leaf)
    assert f"CN = {name}".encode() in openssl("x509", "-in", leaf, "-noout", "-subject")

    again = centre.curl(f"{EST}/simplereenroll", *kind, data=csr)
    assert (again[0], unpacked(again[1])) == (200, unpacked(packed))
    centre.does("revoke", name, "--why", "stolen")
    assert centre.curl(f"{EST}/simplereenroll", *kind, data=csr)[0] == 403
    crl = tmp_path / "crl.pem"
    crl.write_bytes(centre.does("crl"))
    checked = ["openssl", "verify", "-crl_check", "-CRLfile", crl, "-CAfile", centre.ca, "-untrusted", chain, leaf]
    refused = subprocess.run(list(map(str, checked)), capture_output=True, check=False)
    assert b"certificate revoked" in refused.stderr


def unpacked(body: bytes) -> bytes:
    return base64.b64decode(body)


def test_our_own_request_by_network_and_by_stick(centre) -> None:
    one, gateway = centre.voucher(), Gateway(100)
    data = gateway.asks(one)
    status, body = centre.curl("/wardlink/1/request", "-H", "Content-Type: application/octet-stream", data=data)
    assert status == 200
    answer = gateway.reads(one.root, body)
    said = directory.read(answer.roots, "north", answer.directory)
    assert said.enrol == centre.url
    status, body = centre.curl("/wardlink/1/directory/north")
    assert (status, directory.read(centre.roots(), "north", body)) == (200, said)

    block = request.to_text("REQUEST", data)
    status, body = centre.curl("/wardlink/1/request", data=block.encode())
    assert status == 200
    stick = centre.folder / "request.txt"
    stick.write_text(block)
    for text in (body.decode(), centre.does("answer", stick).decode()):
        assert gateway.reads(answer.roots, request.from_text("ANSWER", text)).chain == answer.chain


def test_who_is_not_let_in_is_told_a_word_and_written_down(centre) -> None:
    one, first, second = centre.voucher(), Gateway(110), Gateway(111)
    assert centre.curl("/wardlink/1/request", data=first.asks(one))[0] == 200
    before = len(centre.audited("refused"))
    for data in (
        second.asks(one),
        second.asks(centre.voucher(), "south"),
        second.asks(Voucher("north", 0, b"", "", b"x" * 20)),
    ):
        status, body = centre.curl("/wardlink/1/request", data=data)
        assert (status, json.loads(body)) == (
            403,
            {"error": "voucher", "hint": "ask the centre for a new voucher"},
        )
    refused = centre.audited("refused")[before:]
    assert [re.sub(r"voucher (unknown )?[0-9a-f]{16}", "voucher", one["why"]).split(";")[0] for one in refused] == [
        "voucher used",
        "voucher is for north, asked for south",
        "voucher",
    ]
    assert all(one["who"] == "network 127.0.0.1" for one in refused)
    assert b"whole" in centre.does("audit", "verify")


@pytest.mark.parametrize(
    ("path", "more", "data", "status"),
    [
        ("/wardlink/1/request", (), b"junk", 400),
        ("/wardlink/1/request", (), b"-----BEGIN WARDLINK REQUEST-----\n", 400),
        ("/wardlink/1/request", (), b"x" * 100_000, 413),
        ("/wardlink/1/directory/south", (), None, 404),
        ("/wardlink/1/directory/..%2f..%2fetc", (), None, 404),
        (f"{EST}/simpleenroll", (), b"", 401),
        (f"{EST}/simpleenroll", ("-u", "who:what"), b"", 403),
        (f"{EST}/simplereenroll", (), b"!", 400),
        (f"{EST}/simplereenroll", (), base64.b64encode(trusted.csr(trusted.key(120), "alias")), 400),
        (f"{EST}/simplereenroll", (), base64.b64encode(trusted.csr(trusted.key(120))), 403),
        ("/", (), None, 404),
        ("/wardlink/1/request", (), None, 405),
    ],
)
def test_what_is_no_request(centre, path, more, data, status) -> None:
    assert centre.curl(path, *more, data=data)[0] == status


def test_a_voucher_is_not_tried_for_ever(centre) -> None:
    wrong = Voucher("north", 0, b"", "", b"y" * 20)
    csr = base64.b64encode(trusted.csr(trusted.key(130)))
    said = [centre.curl(f"{EST}/simpleenroll", "-u", basic(wrong), data=csr)[0] for _ in range(11)]
    assert said == [403] * 10 + [429]


def test_only_tls_1_3_and_the_right_root(centre) -> None:
    old = ssl.create_default_context(cafile=str(centre.ca))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", centre.port)) as link, pytest.raises(ssl.SSLError):
        old.wrap_socket(link, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", centre.port)) as link, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(link, server_hostname="localhost")
    new = ssl.create_default_context(cafile=str(centre.ca))
    with (
        socket.create_connection(("127.0.0.1", centre.port)) as link,
        new.wrap_socket(link, server_hostname="localhost") as safe,
    ):
        assert safe.version() == "TLSv1.3"


def test_who_says_nothing_is_hung_up_on(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(listener, "CONNECTION_LIMIT_S", 0.2)
    rig, port = fleet_rig.made(tmp_path), free_port()
    server = listener.server_of(rig.fleet, listener.OwnCertificate(rig.fleet, ["localhost"]), f"127.0.0.1:{port}")
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    context = ssl._create_unverified_context()
    with socket.create_connection(("127.0.0.1", port), 10) as link, context.wrap_socket(link) as safe:
        safe.sendall(b"POST /wardlink/1/request HTTP/1.1\r\n")
        assert ended(safe)
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def ended(link: ssl.SSLSocket) -> bool:
    try:
        return link.recv(1) == b""
    except (ConnectionResetError, ssl.SSLEOFError):
        return True


def test_a_wiped_gateway_is_let_in_no_more(centre) -> None:
    gateway = Gateway(140)
    assert centre.curl("/wardlink/1/request", data=gateway.asks(centre.voucher()))[0] == 200
    said = farewell.Wiped(
        gateway=gateway.id,
        key=verifier_text(gateway.key.public_key()),
        site="north",
        utc=0,
        surely=None,
        protection="file",
        board="Pi",
        not_held={"vital": 1},
        relayed_not_held=2,
        missing=0,
        unreadable=[],
    )
    receipt = centre.folder / "receipt.txt"
    receipt.write_text(farewell.sign(gateway.key, said).replace('"relayed_not_held":2', '"relayed_not_held":3'))
    assert b"signature is not the gateway's" in centre.does("wiped", receipt, code=1)
    assert centre.curl("/wardlink/1/request", data=gateway.asks(None))[0] == 200
    receipt.write_text(farewell.sign(gateway.key, said))
    centre.does("wiped", receipt)
    assert centre.curl("/wardlink/1/request", data=gateway.asks(None))[0] == 403
    assert "wiped, proven by its receipt; 3 envelopes" in centre.audited("retired")[-1]["why"]


def test_words_for_people(centre) -> None:
    said = centre.does("voucher", "west", code=1).decode()
    assert said.startswith("error: no site west")
    assert "hint: wardlink fleet site add" in said
    assert "secret" not in centre.does("vouchers").decode()
    picture = centre.folder / "voucher.svg"
    shown = centre.does("voucher", "north", "--bed", "12", "--qr", picture).decode()
    assert picture.stat().st_mode & 0o077 == 0
    assert voucher.read(shown).site == "north"
    centre.does("voucher", "north", "--qr")
    assert "█" in centre.told
    assert b'site = "north"' in centre.does("gateways")
    assert json.loads(centre.does("list", "--json"))["sites"]["north"] > 0
    key = centre.folder / "broker.key"
    openssl("genpkey", "-algorithm", "RSA", "-out", key)
    csr = centre.folder / "broker.csr"
    openssl("req", "-new", "-key", key, "-subj", "/CN=whatever", "-out", csr)
    crt = centre.folder / "broker.crt"
    crt.write_bytes(centre.does("certificate", "broker", "--name", "broker.example.org", "--csr", csr))
    words = ("verify", "-purpose", "sslserver", "-verify_hostname", "broker.example.org", "-CAfile", centre.ca)
    assert b"OK" in openssl(*words, "-untrusted", crt, crt)
