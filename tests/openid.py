"""A small OpenID provider for tests, on loopback: discovery, keys, authorize, token, logout. It can be told to lie."""

from __future__ import annotations

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qs, urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT = "golden-thread"


@dataclass(slots=True)
class OpenId:
    """The provider. `subject`: who is at its keyboard; `lie`: claims it puts in, instead of the right ones.

    `codes` holds what was asked for each code; a code works once.
    """

    subject: str = "dana"
    issuer: str = ""
    client_key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    key: EllipticCurvePrivateKey | RSAPrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    kid: str = "first"
    acr: str = "aal2"
    signed_in_at: float | None = None
    lie: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    signer: EllipticCurvePrivateKey | None = None
    algorithm: str = "ES256"
    redirect_uri: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    keys_fetched: int = 0
    assertions: set[str] = field(default_factory=set)
    signed_out: int = 0

    def honest(self) -> None:
        """Tell no more lies."""
        self.subject, self.acr, self.signed_in_at, self.signer, self.algorithm = "dana", "aal2", None, None, "ES256"
        self.lie, self.metadata = {}, {}

    def rotate(self) -> None:
        """Sign with another key from now on."""
        self.key, self.kid = generate_private_key(SECP256R1()), self.kid + "+"

    def client_pem(self) -> bytes:
        """Return the client's private key."""
        return self.client_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def describe(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "end_session_endpoint": f"{self.issuer}/logout?realm=lead",
                "authorization_response_iss_parameter_supported": True,
            }
            | self.metadata
        )

    def keys(self, _: Request) -> Response:
        self.keys_fetched += 1
        if isinstance(self.key, RSAPrivateKey):
            public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        else:
            public = jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return JSONResponse({"keys": [public | {"kid": self.kid, "use": "sig"}]})

    def authorize(self, request: Request) -> Response:
        """Sign in whoever is at the keyboard, as the site asked."""
        asked = dict(request.query_params)
        self.asked.append(asked)
        assert asked["response_type"] == "code"
        assert asked["scope"] == "openid"
        assert asked["client_id"] == CLIENT
        assert asked["redirect_uri"] == self.redirect_uri
        assert asked["code_challenge_method"] == "S256"
        code = token_urlsafe(16)
        self.codes[code] = asked
        answer = {"code": code, "state": asked["state"], "iss": self.issuer}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 303)

    def logout(self, request: Request) -> Response:
        """Sign out whoever is at the keyboard, who says yes, and send the browser on (RP-initiated logout, 2)."""
        assert dict(request.query_params) == {
            "realm": "lead",
            "client_id": CLIENT,
            "post_logout_redirect_uri": self.redirect_uri.removesuffix("sign-in/callback"),
        }
        self.signed_out += 1
        return RedirectResponse(request.query_params["post_logout_redirect_uri"], 303)

    async def token(self, request: Request) -> Response:
        """Give the token for a code, once, to the client that has the key and the verifier."""
        sent = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self.codes.pop(sent.get("code", ""), None)
        if asked is None or not self._is_client(sent) or sent.get("redirect_uri") != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        proof = urlsafe_b64encode(sha256(sent["code_verifier"].encode()).digest()).decode().rstrip("=")
        if proof != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": self.subject,
            "nonce": asked["nonce"],
            "iat": now,
            "exp": now + 60,
            "auth_time": int(self.signed_in_at or now),
            "acr": self.acr,
        }
        claims = {name: value for name, value in (claims | self.lie).items() if value is not None}
        key: Any = "a secret that both could know, of sufficient length" if self.algorithm == "HS256" else None
        key = key or (None if self.algorithm == "none" else self.signer or self.key)
        signed = jwt.PyJWS().encode(json.dumps(claims).encode(), key, self.algorithm, {"kid": self.kid})
        return JSONResponse({"id_token": signed, "access_token": "not-for-us", "token_type": "Bearer"})

    def _is_client(self, sent: dict[str, str]) -> bool:
        """Check a `private_key_jwt` (OpenID Connect Core, 9); each works once."""
        assertion = sent.get("client_assertion", "")
        claims = jwt.decode(
            assertion,
            self.client_key.public_key(),
            algorithms=["ES256"],
            audience=f"{self.issuer}/token",
            issuer=CLIENT,
            options={"require": ["iss", "sub", "aud", "jti", "exp", "iat"]},
        )
        fresh = claims["jti"] not in self.assertions
        self.assertions.add(claims["jti"])
        return (
            fresh
            and claims["sub"] == CLIENT
            and claims["exp"] - claims["iat"] <= 300
            and sent["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        )


@contextmanager
def openid() -> Iterator[OpenId]:
    """Run a provider on loopback."""
    provider = OpenId()
    app = Starlette(
        routes=[
            Route("/.well-known/openid-configuration", provider.describe),
            Route("/keys", provider.keys),
            Route("/authorize", provider.authorize),
            Route("/token", provider.token, methods=["POST"]),
            Route("/logout", provider.logout),
        ]
    )
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    provider.issuer = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join(10)
