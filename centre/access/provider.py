"""The hospital's identity provider: OpenID Connect Core 1.0, code flow with PKCE (RFC 7636), by Authlib.

It is asked at the first login, not at the start: a provider that is away keeps nobody else out. The ID token's
signature, issuer, audience, times and nonce are checked by Authlib against the provider's own keys. Which claim says
the role is configured; who has none of ours is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, get_args

import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.integrations.httpx_client import OAuth2Client
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oidc.core import CodeIDToken

from centre.access.people import Person, Role, is_login
from centre.config import Oidc
from config.load import ConfigError

PATIENCE_S = 10.0
FACTS_LIMIT_S = 3600.0
LEEWAY_S = 60
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_SECRET_LIMIT_BYTES = 4096


class ProviderError(Exception):
    """The provider said nothing that lets somebody in. `str` is for the log of looks; no token is in it."""


class Asked(NamedTuple):
    """A login under way: what the answer must fit."""

    url: str
    state: str
    nonce: str
    verifier: str


class _Facts(NamedTuple):
    authorization: str
    token: str
    keys: Any
    at: float


class Provider:
    """Blocking; called in worker threads."""

    def __init__(self, oidc: Oidc, now: Callable[[], float]) -> None:
        if not oidc.issuer.startswith("https://") and not oidc.issuer.startswith("http://localhost"):
            raise ConfigError(f"`oidc.issuer` is {oidc.issuer!r}", "it begins with https://")
        self._oidc = oidc
        self._now = now
        self._facts: _Facts | None = None

    @property
    def name(self) -> str:
        return self._oidc.name

    def begin(self, back: str) -> Asked:
        """`back` is our own URL that the browser returns to. Raises ProviderError."""
        facts = self._known()
        verifier, nonce = generate_token(64), generate_token(32)
        with self._client(back) as client:
            url, state = client.create_authorization_url(facts.authorization, code_verifier=verifier, nonce=nonce)
        return Asked(url, state, nonce, verifier)

    def end(self, asked: Asked, back: str, answer: str) -> Person:
        """`answer`: the whole URL that the browser came back with. Raises ProviderError."""
        facts = self._known()
        try:
            with self._client(back, state=asked.state) as client:
                token = client.fetch_token(
                    facts.token, authorization_response=answer, code_verifier=asked.verifier, state=asked.state
                )
            claims = JsonWebToken(list(ALGORITHMS)).decode(
                str(token.get("id_token", "")),
                facts.keys,
                claims_cls=CodeIDToken,
                claims_options={
                    "iss": {"essential": True, "value": self._oidc.issuer},
                    "aud": {"essential": True, "value": self._oidc.client_id},
                },
                claims_params={"nonce": asked.nonce, "client_id": self._oidc.client_id},
            )
            claims.validate(leeway=LEEWAY_S)
        except (AuthlibBaseError, httpx.HTTPError, ValueError) as error:
            raise ProviderError(f"{type(error).__name__} at the provider's answer") from error
        return self._person(claims)

    def _person(self, claims: dict[str, Any]) -> Person:
        name = next((str(claims[word]) for word in ("preferred_username", "email", "sub") if claims.get(word)), "")
        said = _texts(claims.get(self._oidc.role_claim))
        roles: list[Role] = [role for role in get_args(Role) if role in said]
        if not is_login(name):
            raise ProviderError("the provider says no name that we can write down")
        if len(roles) != 1:
            raise ProviderError(f"{name} has {len(roles)} of our roles in the claim {self._oidc.role_claim}")
        sites = tuple(_texts(claims.get(self._oidc.sites_claim))) if self._oidc.sites_claim else ()
        if self._oidc.sites_claim and not sites:
            raise ProviderError(f"{name} has no site in the claim {self._oidc.sites_claim}")
        return Person(name, roles[0], sites, self._oidc.issuer)

    def _known(self) -> _Facts:
        """What the provider says of itself (OpenID Connect Discovery 1.0), asked again once an hour."""
        if self._facts is not None and self._now() - self._facts.at < FACTS_LIMIT_S:
            return self._facts
        try:
            with httpx.Client(timeout=PATIENCE_S) as client:
                where = self._oidc.issuer.rstrip("/") + "/.well-known/openid-configuration"
                said = client.get(where).raise_for_status().json()
                if said["issuer"] != self._oidc.issuer:
                    raise ProviderError("the provider calls itself by another name than `oidc.issuer`")
                keys = JsonWebKey.import_key_set(client.get(said["jwks_uri"]).raise_for_status().json())
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise ProviderError(f"the provider does not answer: {type(error).__name__}") from error
        self._facts = _Facts(said["authorization_endpoint"], said["token_endpoint"], keys, self._now())
        return self._facts

    def _client(self, back: str, state: str | None = None) -> OAuth2Client:
        return OAuth2Client(
            self._oidc.client_id,
            self._secret(),
            scope=self._oidc.scope,
            redirect_uri=back,
            code_challenge_method="S256",
            state=state,
            timeout=PATIENCE_S,
        )

    def _secret(self) -> str | None:
        if not self._oidc.secret:
            return None
        try:
            return Path(self._oidc.secret).read_bytes()[:_SECRET_LIMIT_BYTES].decode("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ProviderError("`oidc.secret` cannot be read") from error


def _texts(said: Any) -> list[str]:
    """A claim as texts: one, a list, or words with spaces between."""
    if isinstance(said, str):
        return said.split()
    return [text for text in said if isinstance(text, str)] if isinstance(said, list) else []
