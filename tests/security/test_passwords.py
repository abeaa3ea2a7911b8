"""Passwords are kept as argon2id hashes with the documented cost."""

import time

import pytest

from structforge.domain.errors import InvalidError
from structforge.security.passwords import Passwords, check_password, generate_password


async def test_a_hash_verifies_its_password_only() -> None:
    passwords = Passwords()
    stored = await passwords.hash("correct horse battery")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(stored, "correct horse battery")
    assert not await passwords.verify(stored, "correct horse batterz")
    assert not passwords.is_outdated(stored)
    passwords.close()


async def test_an_unknown_account_is_never_true() -> None:
    passwords = Passwords(memory_kib=64, passes=1)
    assert not await passwords.verify(None, "whatever it is")
    stored = await passwords.hash("y" * 256)
    assert not await passwords.verify(stored, "y" * 257)
    passwords.close()


async def test_an_unknown_account_and_an_endless_password_cost_a_whole_hash() -> None:
    passwords = Passwords()
    stored = await passwords.hash("correct horse battery")

    async def cost_s(known: str | None, password: str) -> float:
        async def once() -> float:
            before = time.process_time()
            assert not await passwords.verify(known, password)
            return time.process_time() - before

        return min([await once() for _ in range(5)])

    await cost_s(None, "x")
    wrong = await cost_s(stored, "wrong password")
    for known, password in ((None, "wrong password"), (stored, "x" * 100_000)):
        assert await cost_s(known, password) > wrong / 2
    passwords.close()


async def test_a_damaged_hash_is_no_match() -> None:
    passwords = Passwords(memory_kib=64, passes=1)
    assert not await passwords.verify("$argon2id$broken", "whatever")
    passwords.close()


async def test_a_hash_of_other_cost_is_outdated() -> None:
    cheap = Passwords(memory_kib=64, passes=1)
    stored = await cheap.hash("correct horse battery")
    cheap.close()
    strong = Passwords()
    assert await strong.verify(stored, "correct horse battery")
    assert strong.is_outdated(stored)
    strong.close()


@pytest.mark.parametrize("length", [0, 9, 257])
def test_length_is_checked(length: int) -> None:
    with pytest.raises(InvalidError) as caught:
        check_password("x" * length)
    assert caught.value.problem.code == "password.length"


def test_generated_passwords_differ_and_pass() -> None:
    made = {generate_password() for _ in range(50)}
    assert len(made) == 50
    for password in made:
        check_password(password)
