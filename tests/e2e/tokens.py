"""Tokens that nobody should have: made with a key of the test's own, or with the pool's."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

Document = Mapping[str, Any]


def encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


@dataclass(frozen=True)
class Token:
    header: Document
    claims: Document
    signature: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        header, claims, signature = map(decoded, text.split("."))
        return cls(json.loads(header), json.loads(claims), signature)

    @property
    def signed_text(self) -> str:
        return ".".join(encoded(json.dumps(each).encode()) for each in (self.header, self.claims))

    def __str__(self) -> str:
        return f"{self.signed_text}.{encoded(self.signature)}"

    def changed(self, claims: Document) -> "Token":
        """The signature is left as it was."""
        return Token(self.header, {**self.claims, **claims}, self.signature)

    def headed(self, header: Document) -> "Token":
        return Token({**self.header, **header}, self.claims, self.signature)

    def signed(self, key: rsa.RSAPrivateKey) -> "Token":
        text = self.signed_text.encode()
        signature = key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        return Token(self.header, self.claims, signature)


def own_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pool_key(folder: Path, pool_id: str) -> rsa.RSAPrivateKey:
    """The emulator's own for ID tokens: only with it are issuer, audience and times all that is
    wrong with a token.
    """
    file = folder / "state/cognito-pool-keys" / f"{pool_id}-id.pem"
    return cast("rsa.RSAPrivateKey", load_pem_private_key(file.read_bytes(), password=None))
