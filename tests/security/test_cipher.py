"""Sealed texts open for their owner only."""

import pytest

from structforge.domain.errors import UnavailableError
from structforge.security.cipher import Cipher
from structforge.security.keyring import generate_key, parse_keyring

OLD, NEW = generate_key(), generate_key()


def cipher(*keys: str, use: str = "trigger-secret") -> Cipher:
    return Cipher(parse_keyring(",".join(keys), where="test"), use)


def test_a_sealed_text_opens_after_the_key_was_rotated_and_names_its_key() -> None:
    envelope = cipher(OLD).seal("whsec_ä", "trigger:1")
    assert "whsec" not in envelope
    assert envelope.split(":")[1] == OLD.split(":")[0]
    assert cipher(NEW, OLD).open(envelope, "trigger:1") == "whsec_ä"
    assert cipher(OLD).seal("whsec_ä", "trigger:1") != envelope


@pytest.mark.parametrize("case", ["context", "use", "key", "bit", "no envelope"])
def test_nothing_else_opens_it(case: str) -> None:
    envelope = cipher(OLD).seal("secret", "trigger:1")
    opener, context = cipher(OLD), "trigger:1"
    if case == "context":
        context = "trigger:2"
    elif case == "use":
        opener = cipher(OLD, use="other")
    elif case == "key":
        opener = cipher(NEW)
    elif case == "bit":
        place = len(envelope) - 6
        envelope = envelope[:place] + ("A" if envelope[place] != "A" else "B") + envelope[place + 1 :]
    else:
        envelope = "secret"
    with pytest.raises(UnavailableError) as caught:
        opener.open(envelope, context)
    assert caught.value.problem.code == "secret.unreadable"
