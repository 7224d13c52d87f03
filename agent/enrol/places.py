"""The names in the keys folder that belong to enrolment, and where the unit gives the key."""

from __future__ import annotations

import os
from pathlib import Path

KEY_FILE = "gateway.key"
SEALED_FILE = "gateway.key.cred"  # the same, as an encrypted systemd credential
SITE_KEY_FILE = "site.key"  # the hospital's, for pseudonyms; it has no other use
PUBLIC_FILE = "gateway.pub"  # `ed25519:...`: who we are, for whoever may not read the key
CERTIFICATE_FILE = "gateway.crt"
ROOTS_FILE = "ca.crt"
CENTRES_FILE = "centre.pub"
DIRECTORY_FILE = "directory"  # as it was signed
ENROLLED_FILE = "enrolled.json"
ASKED_FILE = "asked.json"  # of a request on a stick: what its answer must fit
WIPING_FILE = "wiping"  # a wipe was begun: its receipt
WIPED_FILE = "wiped"  # and done
NONE_GIVEN = b"none"  # what the unit gives where there is no sealed key


def credential(name: str = KEY_FILE) -> Path | None:
    """The key as the unit gives it; None where it gives none (or the word, which systemd wants: then it is a file)."""
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    file = Path(given, name) if given else None
    return file if file is not None and file.exists() and file.read_bytes() != NONE_GIVEN else None
