"""Keys are made once, kept private, and told apart by use."""

import threading
from pathlib import Path

import pytest

from structforge.domain.errors import UnavailableError
from structforge.security.keyring import FILE_NAME, generate_key, load_keyring, parse_keyring


def test_the_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    first = load_keyring(None, tmp_path / "home")
    file = tmp_path / "home" / FILE_NAME
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_keyring(None, tmp_path / "home").derive("x") == first.derive("x")
    assert list((tmp_path / "home").iterdir()) == [file]


def test_processes_that_start_together_agree_on_the_key(tmp_path: Path) -> None:
    ids: list[str] = []
    threads = [
        threading.Thread(target=lambda: ids.append(load_keyring(None, tmp_path).active_id)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1


def test_each_use_has_its_own_key_and_each_master_key_its_own() -> None:
    old, new = generate_key(), generate_key()
    keyring = parse_keyring(f"{new}, {old}", where="test")
    assert keyring.active_id == new.partition(":")[0]
    secrets = {key.secret for use in ("a", "b") for key in keyring.derive(use)}
    assert len(secrets) == 4


@pytest.mark.parametrize(
    "text", ["", "nonsense", "k1:short", f"{'k' * 40}:{'a' * 43}", f"a:{'a' * 43},a:{'b' * 43}"]
)
def test_a_malformed_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        parse_keyring(text, where="STRUCTFORGE_SECRET_KEY")
    assert caught.value.problem.code == "keys.malformed"
    assert len(text) < 8 or text not in str(caught.value)


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_keyring(None, tmp_path)
    (tmp_path / FILE_NAME).chmod(0o644)
    with pytest.raises(UnavailableError) as caught:
        load_keyring(None, tmp_path)
    assert caught.value.problem.code == "keys.exposed"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    key = generate_key()
    assert load_keyring(key, tmp_path).active_id == key.partition(":")[0]
    assert not (tmp_path / FILE_NAME).exists()
