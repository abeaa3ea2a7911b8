"""No form of a known secret passes; ordinary text does."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structforge.security.redaction import MASK, Redactor

SECRET = 'p@ss "wörd"/42'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        base64.b64encode(SECRET.encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    ],
)
def test_known_forms_are_masked(form: str) -> None:
    masked = Redactor([SECRET]).text(f"before {form} after")
    assert form not in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")


@given(
    user=st.text(max_size=12),
    secret=st.text(min_size=10, max_size=40, alphabet=st.characters(codec="ascii")),
)
def test_basic_credentials_do_not_leak_the_password(user: str, secret: str) -> None:
    encoded = base64.b64encode(f"{user}:{secret}".encode()).decode()
    masked = Redactor([secret]).text(f"x={encoded}")
    assert encoded not in masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Authorization: Bearer abcdefgh1234", f"Authorization: Bearer {MASK}"),
        ("postgresql://user:hunter2@host/db", f"postgresql://user:{MASK}@host/db"),
        ("nothing to hide: 12:30, a@b.example", "nothing to hide: 12:30, a@b.example"),
    ],
)
def test_well_known_places(text: str, masked: str) -> None:
    assert Redactor().text(text) == masked


def test_json_values_are_masked_by_name_and_by_value() -> None:
    redactor = Redactor(["topsecret"])
    value = {
        "password": "x1", "X-Api-Key": "k", "rows": [{"note": "is topsecret!", "n": 3}], "tokens": 17,
        "topsecret": None,
    }  # fmt: skip
    assert redactor.value(value) == {
        "password": MASK, "X-Api-Key": MASK, "rows": [{"note": f"is {MASK}!", "n": 3}], "tokens": 17,
        MASK: None,
    }  # fmt: skip


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    assert Redactor(["secret", "secret-and-more"]).text("secret-and-more") == MASK


def test_short_values_are_not_registered() -> None:
    assert Redactor(["abc"]).text("abcdef") == "abcdef"
