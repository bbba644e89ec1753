"""How strong the issuer's keys must be: RSA of 3072 bits, or what a site has knowingly said."""

from __future__ import annotations

from contextlib import closing
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from adapters.identity.issuer import BadIdentity, Identity
from adapters.secrets import SecretsUnsafe
from adapters.settings import Settings
from tests.browser import provider_at
from tests.openid import openid


def rsa(bits: int) -> RSAPrivateKey:
    return generate_private_key(65537, bits)


SHORT, LONG = rsa(2048), rsa(3072)


def signed_in(key: RSAPrivateKey, algorithm: str, **client: Any) -> Identity:
    """Sign in with a provider that signs with this key."""
    with openid() as running:
        running.key, running.algorithm = key, algorithm
        with closing(provider_at(running, **client)) as ours:
            there, begun = ours.begin("/", age_most=60, again=False)
            back = httpx.get(there).headers["location"]
            return ours.finish(begun, dict(parse_qsl(urlsplit(back).query)))


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_a_provider_that_signs_with_a_short_key_is_refused(algorithm: str) -> None:
    with pytest.raises(BadIdentity, match=r"2048 bits, the site takes 3072 and more.*GOLDENTHREAD_RSA_BITS_LEAST"):
        signed_in(SHORT, algorithm)
    assert signed_in(LONG, algorithm).subject == "dana"


def test_a_site_may_take_a_short_key_knowingly() -> None:
    assert Settings().rsa_bits_least == 3072
    least = Settings(rsa_bits_least=2048).rsa_bits_least
    assert signed_in(SHORT, "RS256", rsa_bits_least=least).subject == "dana"
    with pytest.raises(ValidationError, match="2048"):
        Settings(rsa_bits_least=1024)


def test_the_sites_own_key_is_never_a_short_one() -> None:
    pem = SHORT.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with openid() as running, pytest.raises(SecretsUnsafe, match="make one of 3072"):
        provider_at(running, key=pem, rsa_bits_least=2048)
