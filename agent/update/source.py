"""The server that has the bundle, asked for ranges (RFC 9110, 14) over one connection, through a proxy if need be."""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

TIME_LIMIT_S = 60.0
REDIRECTS_LIMIT_COUNT = 5
SIZE_LIMIT_BYTES = 4 << 30
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)\Z")
_REDIRECTS = (301, 302, 303, 307, 308)


class SourceError(Exception):
    """Nothing usable came. `is_final`: asking again does not help."""

    def __init__(self, message: str, hint: str = "", *, is_final: bool = False) -> None:
        super().__init__(message)
        self.hint = hint
        self.is_final = is_final


class Source:
    """`size` bytes at `url`; `tag` is the server's own name for these bytes, if it has one. Raises SourceError."""

    def __init__(self, url: str, roots: Path | None = None, limit_s: float = TIME_LIMIT_S) -> None:
        self.url, self._limit_s = url, limit_s
        self._roots = roots if roots is not None and roots.exists() else None
        self._link: http.client.HTTPConnection | None = None
        self.fetched_bytes = 0
        self.tag = ""
        self.size = 0
        self._find()

    def get(self, at: int, end: int) -> bytes:
        """The bytes [at, end). Raises SourceError."""
        with self._asked({"Range": f"bytes={at}-{end - 1}"}) as answer:
            self._check(answer, (at, end))
            data = answer.read()
        self.fetched_bytes += len(data)
        if len(data) != end - at:
            raise SourceError("the connection ended in the middle")
        return data

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def _find(self) -> None:
        """Where the file is in the end, and how long."""
        for _ in range(REDIRECTS_LIMIT_COUNT):
            with self._asked({"Range": "bytes=0-3"}) as answer:
                if answer.status not in _REDIRECTS:
                    self.tag = answer.headers.get("ETag", "") or answer.headers.get("Last-Modified", "")
                    self.size = self._check(answer, (0, 4))
                    self.fetched_bytes += len(answer.read())
                    return
                there = urljoin(self.url, answer.headers.get("Location", ""))
            if urlsplit(self.url).scheme == "https" != urlsplit(there).scheme:
                raise SourceError("it is sent on to an address without TLS", is_final=True)
            self.url = there
            self.close()
        raise SourceError("it is sent on and on", is_final=True)

    def _check(self, answer: http.client.HTTPResponse, wanted: tuple[int, int]) -> int:
        where = urlsplit(self.url).netloc
        if answer.status == http.client.OK:
            hint = "most web servers can; a proxy in between may take it away"
            raise SourceError(f"{where} cannot send parts of a file", hint, is_final=True)
        if answer.status != http.client.PARTIAL_CONTENT:
            gone = answer.status in (http.client.NOT_FOUND, http.client.FORBIDDEN, http.client.GONE)
            raise SourceError(f"{where} answers {answer.status}", "check the address", is_final=gone)
        found = _RANGE.match(answer.headers.get("Content-Range", ""))
        if found is None or (int(found[1]), int(found[2]) + 1) != wanted:
            raise SourceError(f"{where} sent another part than was asked for")
        size = int(found[3])
        tag = answer.headers.get("ETag", "") or answer.headers.get("Last-Modified", "")
        if size > SIZE_LIMIT_BYTES or (self.size and (size, tag) != (self.size, self.tag)):
            raise SourceError("the file at that address is another one now")
        return size

    @contextmanager
    def _asked(self, headers: dict[str, str]) -> Iterator[http.client.HTTPResponse]:
        parts = urlsplit(self.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            if self._link is None:
                self._link = self._connected()
            full = self.url if getattr(self._link, "plain_proxy", False) else target or "/"
            self._link.request("GET", full, headers={"User-Agent": "wardlink", **headers})
            yield self._link.getresponse()
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise SourceError(f"{parts.netloc}: {error.verify_message}", "is the clock right? wardlink time") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise SourceError(f"{parts.netloc}: {error or type(error).__name__}") from error
        except SourceError:
            self.close()
            raise

    def _connected(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        proxy = "" if proxy_bypass(host) else getproxies().get(parts.scheme, "")
        through = urlsplit(proxy)
        if parts.scheme == "http":
            if not proxy:
                return http.client.HTTPConnection(host, parts.port or 80, timeout=self._limit_s)
            link = http.client.HTTPConnection(through.hostname or "", through.port or 80, timeout=self._limit_s)
            link.plain_proxy = True  # type: ignore[attr-defined]
            return link
        context = ssl.create_default_context()
        if self._roots is not None:
            context.load_verify_locations(self._roots)
        if not proxy:
            return http.client.HTTPSConnection(host, parts.port or 443, timeout=self._limit_s, context=context)
        tunnel = http.client.HTTPSConnection(
            through.hostname or "", through.port or 80, timeout=self._limit_s, context=context
        )
        tunnel.set_tunnel(host, parts.port or 443)
        return tunnel
