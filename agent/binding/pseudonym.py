"""What leaves the gateway of a patient: a name that only who has the site's key can make from the number.

    pseudonym = "p-" || base32(the first 10 bytes of HMAC-SHA256(key, "wardlink pseudonym 1" || number)), lower case

`key` is the site's, 32 bytes that all gateways of one hospital share and nobody else has (`wardlink site-key`); or the
gateway's own, derived from its private key: then nobody can link its pseudonyms with another gateway's. 80 bits:
among a million patients two share a pseudonym with a chance of less than one in 10^12.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from functools import partial

KEY_BYTES = 32
TAG_BYTES = 10
PREFIX = "wl-site-key-1:"  # the text of a key, so that it is not taken for another


class SiteKeyError(Exception):
    """It is no site key."""


def pseudonym(key: bytes, number: str) -> str:
    """Of a normalised number, or of what no number can be: an episode of nobody known."""
    tag = hmac.digest(key, b"wardlink pseudonym 1" + number.encode(), "sha256")
    return "p-" + base64.b32encode(tag[:TAG_BYTES]).decode().lower()


def namer(key: bytes) -> Callable[[str], str]:
    return partial(pseudonym, key)


def derived(secret: bytes, purpose: str) -> bytes:
    """A key of the gateway's own, from the 32 bytes of its private key (HKDF of RFC 5869, one block)."""
    extracted = hmac.digest(b"wardlink binding 1", secret, "sha256")
    return hmac.digest(extracted, purpose.encode() + b"\x01", "sha256")


def text(key: bytes) -> str:
    return PREFIX + base64.urlsafe_b64encode(key).decode().rstrip("=")


def parsed(said: str) -> bytes:
    """Raises SiteKeyError, which quotes nothing."""
    body = said.strip()
    try:
        key = base64.urlsafe_b64decode(body.removeprefix(PREFIX) + "=") if body.startswith(PREFIX) else b""
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES or text(key) != body:
        raise SiteKeyError(f"it is no site key: {PREFIX}... of {KEY_BYTES} bytes")
    return key


def fingerprint(key: bytes) -> str:
    """So that two gateways can be compared aloud; it gives nothing away."""
    digest = hashlib.sha256(b"wardlink site key fingerprint 1" + key).hexdigest()
    return " ".join(digest[at : at + 4] for at in range(0, 16, 4))
