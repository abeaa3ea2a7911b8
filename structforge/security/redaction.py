"""Keeps known secret values out of logs, events, errors and outputs.

Invariant: a registered value never passes `Redactor` unmasked, nor its base64, URL- or JSON-escaped forms.
Values under six characters are not registered: masking them would destroy ordinary text.
"""

import base64
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

MASK = "•••"
MIN_CHARACTERS = 6

SECRET_NAMES = re.compile(
    r"(?i)(^|[_\-.\s])(password|passwd|secret|token|api[_\-]?key|authorization|cookie|set-cookie|credential|"
    r"private[_\-]?key|access[_\-]?key)s?($|[_\-.\s])"
)
"""Names of fields whose value is masked whatever it is."""

_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9\-._~+/]{8,}=*")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):([^/\s@]+)@")


class Redactor:
    """Masks secrets in text and in JSON values."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Register secret values; from now on they are masked."""
        before = len(self._known)
        for secret in secrets:
            if len(secret) >= MIN_CHARACTERS:
                self._known.update(_forms(secret))
        if len(self._known) != before:
            # The longest first: of two secrets, one may be the beginning of the other.
            ordered = sorted(self._known, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, ordered)))

    def text(self, text: str) -> str:
        """Return `text` with registered values, bearer tokens, JWTs and passwords in URLs masked."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        if "://" in text:
            text = _URL_PASSWORD.sub(rf"\1:{MASK}@", text)
        if "eyJ" in text:
            text = _JWT.sub(MASK, text)
        return _BEARER.sub(rf"\1 {MASK}", text)

    def value(self, value: Any) -> Any:
        """Return a JSON value with the same masked in every text, and texts under names like `password`."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self._named(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def _named(self, name: str, value: Any) -> Any:
        if value and isinstance(value, str) and SECRET_NAMES.search(name):
            return MASK
        return self.value(value)


def _forms(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {secret, quote(secret, safe="")}
    forms |= {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    # Base64 text depends on the offset at which the secret begins: mask what is the same for each neighbour.
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode()
        start = -(-offset * 8 // 6)
        end = (offset + len(raw)) * 8 // 6
        if end - start >= 2 * MIN_CHARACTERS:
            forms.add(encoded[start:end])
            forms.add(base64.urlsafe_b64encode(b"\0" * offset + raw).decode()[start:end])
    return forms
