"""A real mosquitto, throwaway certificates, and a proxy that can freeze, cut or refuse."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

STARTS_LIMIT_COUNT = 5
LONG_AGO, FAR_AWAY = datetime.datetime(2020, 1, 1), datetime.datetime(2090, 1, 1)  # noqa: DTZ001 (X.509 is UTC)


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.path = folder / f"{name}.pem"
        certificate = self._build(self.name, self.key, FAR_AWAY).add_extension(x509.BasicConstraints(True, 0), True)
        self.path.write_bytes(certificate.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, until: datetime.datetime = FAR_AWAY) -> tuple[Path, Path]:
        """(certificate, key) files for 127.0.0.1 and `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName(name)])
        signed = self._build(subject, key, until).add_extension(names, False).sign(self.key, hashes.SHA256())
        certificate_path, key_path = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate_path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        pem, pkcs8, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        key_path.write_bytes(key.private_bytes(pem, pkcs8, plain))
        key_path.chmod(0o644)
        return certificate_path, key_path

    def _build(self, subject, key, until) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(LONG_AGO)
            .not_valid_after(until)
        )


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Mosquitto:
    """A broker process: TLS 1.3 with client certificates on `port`, in the clear on `plain_port` for the centre."""

    def __init__(self, folder: Path, authority: Authority, server: tuple[Path, Path], given: str, acl: str) -> None:
        self.port, self.plain_port = free_port(), free_port()
        self.config = folder / "mosquitto.conf"
        self.config.write_text(
            f"per_listener_settings true\nuser root\npersistence false\nlog_dest stderr\nmax_queued_messages 0\n"
            f"{given}\n"
            f"listener {self.port} 127.0.0.1\ncafile {authority.path}\ncertfile {server[0]}\nkeyfile {server[1]}\n"
            f"tls_version tlsv1.3\nrequire_certificate true\nuse_identity_as_username true\n"
            f"{acl}\n"
            f"listener {self.plain_port} 127.0.0.1\nallow_anonymous true\n"
        )
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        """Another program's connection may have the port for a moment: then again."""
        said: list[str] = []
        for _ in range(STARTS_LIMIT_COUNT):
            self.process = subprocess.Popen(
                ["mosquitto", "-c", str(self.config)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
            )
            for line in self.process.stderr:
                said.append(line)
                if "running" in line:
                    return
            self.process.wait()
            self.process.stderr.close()
        raise RuntimeError(f"mosquitto did not start: {''.join(said[-5:])}")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stderr.close()
            self.process = None


class Bell:
    """Rung whenever anything happened; tests wait for a condition, not for a time."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self, *_: object) -> None:
        self._event.set()

    async def until(self, condition, limit_s: float = 15.0) -> None:
        async with asyncio.timeout(limit_s):
            while not condition():
                self._event.clear()
                await self._event.wait()


class Proxy:
    """TCP in the middle. `freeze` lets nothing through and says nothing; `cut` closes."""

    def __init__(self, port: int, bell: Bell) -> None:
        self._to = port
        self._bell = bell
        self.port = 0
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.accepted = 0
        self.is_refusing = False

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._bell.ring()
        if self.is_refusing:
            writer.close()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers |= {writer, there_writer}
        await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            self.cut()
        writer.close()

    def freeze(self) -> None:
        self._open.clear()

    def thaw(self) -> None:
        self._open.set()

    def cut(self) -> None:
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    def stop(self) -> None:
        self._server.close()
        self.cut()
        self.thaw()
