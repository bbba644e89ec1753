"""Sign in with the site's OpenID Connect provider: code flow, PKCE, `private_key_jwt`.

The provider says who someone is and when it made sure; who that is at the site, the register says.
"""

from __future__ import annotations

import hmac
import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from threading import Lock
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from adapters.identity.issuer import RSA_BITS_LEAST, BadIdentity, Identity, KeySet, identity_of, keys_of
from adapters.secrets import SecretsUnsafe
from adapters.wire import is_encrypted
from services.ports import Unavailable

_TIMEOUT_SECONDS: Final = 5
_ASSERTION_SECONDS: Final = 60
_LEEWAY_SECONDS: Final = 30
"""How far the provider's clock may differ from ours."""
_AGAIN_SECONDS: Final = 30
"""How soon the provider's keys are fetched again for a key id that is not among them."""
_DISCOVERY_SECONDS: Final = 3600
_ANSWER_BYTES_MOST: Final = 512 * 1024
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Client:
    """What the provider knows the site by. `acr_values`: how strong a sign-in must be, in the provider's words.

    `admin_acr_values`: how strong for what is administrative, where that is more.
    `public_url`: where browsers reach the site; they come back there from signing in, and from signing out.
    `key`: a private key in PEM (RSA of 3072 bits, P-256 or Ed25519), whose public half the provider has; nobody else
    has it. `rsa_bits_least`: how long the provider's own keys of RSA must be.
    """

    issuer: str
    client_id: str
    public_url: str
    key: bytes = field(repr=False)
    acr_values: tuple[str, ...] = ()
    admin_acr_values: tuple[str, ...] = ()
    rsa_bits_least: int = RSA_BITS_LEAST

    @property
    def redirect_uri(self) -> str:
        """Return where the provider sends who signed in."""
        return f"{self.public_url.rstrip('/')}/sign-in/callback"

    @property
    def post_logout_redirect_uri(self) -> str:
        """Return where the provider sends who signed out."""
        return f"{self.public_url.rstrip('/')}/"


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that someone began: what only the browser that began it may bring back. Never logged, never shown."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    begun_at: int
    age_most: int
    return_to: str
    acr_values: tuple[str, ...]

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return one from what `as_json` gave."""
        return cls(**value | {"acr_values": tuple(value["acr_values"])})

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


class Provider:
    """The site's OpenID provider. Thread-safe; what it publishes of itself is kept for a time.

    Raises `SecretsUnsafe` for a client's key that is too short.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._key = load_pem_private_key(client.key, None)
        if isinstance(self._key, RSAPrivateKey) and self._key.key_size < RSA_BITS_LEAST:
            raise SecretsUnsafe(f"The client's key is RSA of {self._key.key_size} bits: make one of {RSA_BITS_LEAST}.")
        self._http = httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=False)
        self._lock = Lock()
        self._metadata: dict[str, Any] = {}
        self._metadata_at = -float(_DISCOVERY_SECONDS)
        self._not_before = 0.0
        self.keys = _Keys(self)

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def begin(self, return_to: str, *, age_most: int, again: bool, administrative: bool = False) -> tuple[str, Begun]:
        """Return where to send a browser, and what it must bring back.

        `age_most`: how many seconds ago the person may have signed in there; `again`: it is to be done anew;
        `administrative`: as strongly as what is administrative needs.
        """
        acr_values = (self._client.admin_acr_values if administrative else ()) or self._client.acr_values
        begun = Begun(
            secrets.token_urlsafe(32),
            secrets.token_urlsafe(32),
            secrets.token_urlsafe(48),
            int(time.time()),
            age_most,
            return_to,
            acr_values,
        )
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_uri,
            "scope": "openid",
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": _unpadded(sha256(begun.verifier.encode()).digest()),
            "code_challenge_method": "S256",
            "max_age": str(age_most),
        }
        if again:
            asked["prompt"] = "login"
        if acr_values:
            asked["acr_values"] = " ".join(acr_values)
        return _asking(self._described()["authorization_endpoint"], asked), begun

    def finish(self, begun: Begun, answer: Mapping[str, str]) -> Identity:
        """Return who signed in, from what the browser brought back. Raises `BadIdentity`, `Unavailable`."""
        if not hmac.compare_digest(answer.get("state", "").encode(), begun.state.encode()):
            raise BadIdentity("the state is another")
        described = self._described()
        if answer.get("iss", self._client.issuer) != self._client.issuer or (
            described.get("authorization_response_iss_parameter_supported") is True and "iss" not in answer
        ):
            raise BadIdentity("the answer is of another issuer")  # RFC 9207
        if not (code := answer.get("code")):
            raise BadIdentity("the provider refused")
        token = self._exchange(described["token_endpoint"], code, begun.verifier)
        keys = KeySet(self._client.issuer, self._client.client_id, self.keys, self._client.rsa_bits_least)
        return self._checked(keys.claims(token), begun)

    def sign_out(self) -> str | None:
        """Return where a browser signs out at the provider, too (RP-initiated logout); None where it has no such place.

        No `id_token_hint`: no token is kept, and none stands in an address. So the provider asks who is there first.
        """
        try:
            endpoint = self._described().get("end_session_endpoint")
        except (BadIdentity, Unavailable):  # ours is over all the same
            return None
        if not isinstance(endpoint, str) or not is_encrypted(endpoint):
            return None
        client = self._client
        asked = {"client_id": client.client_id, "post_logout_redirect_uri": client.post_logout_redirect_uri}
        return _asking(endpoint, asked)

    def _checked(self, claims: dict[str, Any], begun: Begun) -> Identity:
        if claims["aud"] not in (self._client.client_id, [self._client.client_id]):
            raise BadIdentity("it is for others, too")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), begun.nonce.encode()):
            raise BadIdentity("the nonce is another")
        known = (*begun.acr_values, *self._client.admin_acr_values)  # what is more is enough
        acr = claims.get("acr") if claims.get("acr") in known else None
        if begun.acr_values and acr is None:
            raise BadIdentity("the sign-in was not strong enough")
        if "auth_time" not in claims:  # required where `max_age` was asked for
            raise BadIdentity("it does not say when the person signed in")
        identity = identity_of(claims)
        if identity.authenticated_at.timestamp() < begun.begun_at - begun.age_most - _LEEWAY_SECONDS:
            raise BadIdentity("the person signed in too long ago")
        if identity.authenticated_at.timestamp() > time.time() + _LEEWAY_SECONDS:
            raise BadIdentity("the person has not signed in yet")
        return replace(identity, acr=acr)

    def _exchange(self, endpoint: str, code: str, verifier: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self._client.client_id,
            "sub": self._client.client_id,
            "aud": endpoint,
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + _ASSERTION_SECONDS,
        }
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect_uri,
            "code_verifier": verifier,
            "client_id": self._client.client_id,
            "client_assertion_type": _ASSERTION,
            "client_assertion": jwt.encode(claims, self._key, _algorithm(self._key)),  # type: ignore[arg-type]
        }
        answer = self._fetch("POST", endpoint, data=asked)
        if not isinstance(token := answer.get("id_token"), str):
            raise BadIdentity("the provider gave no token")
        return token

    def _described(self) -> dict[str, Any]:
        """Return what the provider says of itself, where it names itself and nothing is asked in clear."""
        with self._lock:
            if time.monotonic() < self._not_before:
                raise Unavailable("the provider did not answer a moment ago")
            if time.monotonic() - self._metadata_at > _DISCOVERY_SECONDS:
                self._not_before = time.monotonic() + _TIMEOUT_SECONDS  # if it fails, nobody queues up behind it
                found = self._fetch("GET", f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration")
                if found.get("issuer") != self._client.issuer or not all(
                    is_encrypted(found.get(e)) for e in _ENDPOINTS
                ):
                    raise Unavailable("the provider describes itself as another, or not safely")
                self._metadata, self._metadata_at, self._not_before = found, time.monotonic(), 0.0
            return self._metadata

    def fetch_keys(self) -> dict[str, Any]:
        """Return the provider's keys, as it publishes them now."""
        try:
            return keys_of(self._fetch("GET", self._described()["jwks_uri"]))
        except jwt.PyJWTError:
            raise Unavailable("the provider publishes no key") from None

    def _fetch(self, method: str, url: str, **sent: Any) -> dict[str, Any]:
        try:
            answer = self._http.request(method, url, headers={"Accept": "application/json"}, **sent)
            found = json.loads(answer.content) if len(answer.content) <= _ANSWER_BYTES_MOST else None
        except (httpx.HTTPError, ValueError):
            raise Unavailable("the provider does not answer") from None
        if answer.is_server_error:
            raise Unavailable("the provider does not answer")
        if not answer.is_success or not isinstance(found, dict):
            raise BadIdentity("the provider refused")
        return found


class _Keys(Mapping[str, Any]):
    """The provider's keys by id; fetched again, though not often, for an id that is not among them."""

    def __init__(self, provider: Provider) -> None:
        self._provider, self._lock = provider, Lock()
        self._known: dict[str, Any] = {}
        self._fetched_at = -float(_AGAIN_SECONDS)

    def __getitem__(self, kid: str) -> Any:
        if (known := self._known.get(kid)) is not None:  # nobody with a known key waits for the provider
            return known
        with self._lock:
            if kid not in self._known and time.monotonic() - self._fetched_at >= _AGAIN_SECONDS:
                self._known = self._provider.fetch_keys()
                self._fetched_at = time.monotonic()
            return self._known[kid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def _algorithm(key: object) -> str:
    return (
        "RS256" if isinstance(key, RSAPrivateKey) else "ES256" if isinstance(key, EllipticCurvePrivateKey) else "EdDSA"
    )


def _asking(endpoint: str, asked: Mapping[str, str]) -> str:
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"


def _unpadded(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")
