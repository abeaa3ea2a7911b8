"""The artifact store: stored once by content, durable before it is named, apart for each organization."""

import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structforge.sdk.context import ArtifactRef, NodeError
from structforge.storage import artifacts
from structforge.storage.artifacts import FileArtifactStore, OrganizationArtifacts

OURS, THEIRS = uuid4(), uuid4()
LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> FileArtifactStore:
    return FileArtifactStore(tmp_path / "artifacts", max_bytes=1_000)


@pytest.fixture
def access(store: FileArtifactStore) -> OrganizationArtifacts:
    return OrganizationArtifacts(store, OURS)


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("data", [b"", b"x", b"\x00\xff" * 400, b"a" * 1_000])
def test_what_is_put_comes_back(access: OrganizationArtifacts, data: bytes) -> None:
    ref = access.put(data, media_type="text/plain", name="a.txt")
    digest = hashlib.sha256(data).hexdigest()
    assert ref == ArtifactRef(digest, len(data), "text/plain", "a.txt")
    assert access.path(ref).read_bytes() == data
    with access.open(ref) as file:
        assert file.read() == data


def test_files_lie_two_folders_deep_and_only_once(access: OrganizationArtifacts, tmp_path: Path) -> None:
    first = access.put(b"same", media_type="text/plain")
    source = tmp_path / "report.txt"
    source.write_bytes(b"same")
    second = access.put_file(source, media_type="text/plain")
    assert (second.hash, second.name) == (first.hash, "report.txt")
    digest = first.hash
    assert files(tmp_path / "artifacts") == [f"{OURS}/{digest[:2]}/{digest[2:4]}/{digest}"]
    assert source.read_bytes() == b"same"


def test_stored_files_are_read_only(access: OrganizationArtifacts) -> None:
    path = access.path(access.put(b"fixed", media_type="text/plain"))
    assert not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH | stat.S_IROTH)


def test_everything_is_synced_before_the_reference_is_returned(
    access: OrganizationArtifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def place(descriptor: int) -> str:
        return os.readlink(f"/proc/self/fd/{descriptor}")

    def noted_fsync(descriptor: int) -> None:
        steps.append(("fsync", place(descriptor)))
        fsync(descriptor)

    def noted_replace(source: str, target: Path) -> None:
        steps.append(("replace", str(target)))
        replace(source, target)

    monkeypatch.setattr(artifacts.os, "fsync", noted_fsync)
    monkeypatch.setattr(artifacts.os, "replace", noted_replace)
    ref = access.put(b"durable", media_type="text/plain")

    root = tmp_path / "artifacts"
    target = root / str(OURS) / ref.hash[:2] / ref.hash[2:4] / ref.hash
    (content, partial), renamed, *folders = steps
    assert content == "fsync" and Path(partial).parent == root / str(OURS) / "partial"
    assert renamed == ("replace", str(target))
    assert {folder for _, folder in folders} == {
        str(folder) for folder in (tmp_path, root, *list(target.parents)[:3])
    }

    # The same bytes again: whoever wrote them may have died before the folders were synced.
    steps.clear()
    access.put(b"durable", media_type="text/plain")
    assert ("fsync", str(target.parent)) in steps


def test_a_value_over_the_limit_leaves_nothing(access: OrganizationArtifacts, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(b"x" * 1_001)
    for put in (
        lambda: access.put(b"x" * 1_001, media_type="text/plain"),
        lambda: access.put_file(big, media_type="text/plain"),
    ):
        with pytest.raises(NodeError) as refused:
            put()
        assert refused.value.problem.code == "artifact.too_large"
        assert refused.value.problem.details == {"max_bytes": 1_000}
    assert files(tmp_path / "artifacts") == []


def test_a_stream_that_breaks_leaves_nothing(store: FileArtifactStore, tmp_path: Path) -> None:
    def broken() -> Any:
        yield b"half"
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        store.put(OURS, broken())
    assert files(tmp_path / "artifacts") == []


def test_another_organization_has_its_own(store: FileArtifactStore, access: OrganizationArtifacts) -> None:
    ref = access.put(b"ours", media_type="text/plain")
    foreign = OrganizationArtifacts(store, THEIRS)
    for read in (foreign.path, foreign.open):
        with pytest.raises(NodeError) as missing:
            read(ref)
        assert missing.value.problem.code == "artifact.missing"
    assert store.delete(THEIRS, ref.hash, unused_since=LATER) is False
    assert access.path(ref).read_bytes() == b"ours"


def test_deleting_removes_the_bytes_once(store: FileArtifactStore, access: OrganizationArtifacts) -> None:
    ref = access.put(b"gone", media_type="text/plain")
    assert store.exists(OURS, ref.hash)
    deleted = [store.delete(OURS, ref.hash, unused_since=LATER) for _ in range(2)]
    assert deleted == [True, False]
    assert not store.exists(OURS, ref.hash)
    with pytest.raises(NodeError):
        access.open(ref)


def test_bytes_that_were_stored_again_are_not_deleted(
    store: FileArtifactStore, access: OrganizationArtifacts
) -> None:
    ref = access.put(b"again", media_type="text/plain")
    os.utime(access.path(ref), (1, 1))
    before = datetime.now(UTC) - timedelta(minutes=1)
    access.put(b"again", media_type="text/plain")
    assert store.delete(OURS, ref.hash, unused_since=before) is False
    assert access.path(ref).read_bytes() == b"again"


def test_what_a_crash_left_half_done_is_cleared_up(
    store: FileArtifactStore, access: OrganizationArtifacts, tmp_path: Path
) -> None:
    kept, back, twice = (access.put(text, media_type="text/plain") for text in (b"kept", b"back", b"twice"))
    partial_dir = tmp_path / "artifacts" / str(OURS) / artifacts.PARTIAL
    (partial_dir / "tmpcrashed").write_bytes(b"half of it")
    # Died between moving a file aside and deciding about it: only one of them was stored again meanwhile.
    os.replace(access.path(back), partial_dir / f"{back.hash}{artifacts.GOING}")
    os.link(access.path(twice), partial_dir / f"{twice.hash}{artifacts.GOING}")
    # Content of long ago: it is being removed at this moment for all we know.
    for file in partial_dir.iterdir():
        os.utime(file, (1, 1))
    left = files(partial_dir)
    assert store.clear_partial(before=datetime.now(UTC) - timedelta(minutes=1)) == 0
    assert files(partial_dir) == left
    assert store.clear_partial(before=LATER) == 3
    assert files(partial_dir) == []
    assert [access.path(ref).read_bytes() for ref in (kept, back, twice)] == [b"kept", b"back", b"twice"]
    assert store.clear_partial(before=LATER) == 0


@given(
    st.text(max_size=80)
    | st.sampled_from(["../../etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n", "../" * 30])
)
def test_only_a_hash_is_a_name(text: str) -> None:
    store = FileArtifactStore(Path("/nowhere"))
    for use in (store.path, store.exists, partial(store.delete, unused_since=LATER)):
        with pytest.raises(NodeError) as refused:
            use(OURS, text)
        assert refused.value.problem.code == "artifact.invalid"


def test_storing_the_same_bytes_at_once_is_harmless(access: OrganizationArtifacts, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        refs = set(pool.map(lambda _: access.put(b"together", media_type="text/plain").hash, range(40)))
    assert len(refs) == 1
    assert len(files(tmp_path / "artifacts")) == 1


def test_storing_again_renews_the_age(access: OrganizationArtifacts) -> None:
    path = access.path(access.put(b"young", media_type="text/plain"))
    os.utime(path, (1, 1))
    access.put(b"young", media_type="text/plain")
    assert path.stat().st_mtime > 1_000_000
