"""Named sets, fetched from a repository and an archive made here: the pinned content or nothing."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.data import sets
from zoo.data.sets import SETS, Archive, FetchError, Repository
from zoo.download import file_digest

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
_REAL = os.environ.get("ZOO_DATA") if Path(os.environ.get("ZOO_DATA") or "/nowhere", "clothing10").is_dir() else None
URL = "https://example.org/somebody/clothes"


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    for name in ("ZOO_DATA", "ZOO_MIRROR", "ZOO_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


def pictures(root: Path, count=4) -> Path:
    for i in range(2 * count):
        path = root / ("hat", "shoe")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (16, 16, 3), np.uint8)).save(path)
    (root / "LICENSE").write_text("CC0")
    return root


def git(folder: Path, *arguments: str) -> str:
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, env={**os.environ, **identity})
    return done.stdout.strip()


@pytest.fixture
def remote(tmp_path):
    """A bare repository in the layout of a mirror, and the commit before its last: (mirror, commit)."""
    work = pictures(tmp_path / "work")
    git(work, "init", "--quiet")
    for message in ("pictures", "later"):
        git(work, "add", ".")
        git(work, "commit", "--quiet", "--message", message)
        (work / "hat" / "later.txt").write_text("not in the pinned commit")
    commit = git(work, "rev-parse", "HEAD^")
    bare = tmp_path / "mirror" / "example.org" / "somebody" / "clothes.git"
    bare.parent.mkdir(parents=True)
    git(work, "clone", "--quiet", "--bare", ".", str(bare))
    return tmp_path / "mirror", commit


def pin(monkeypatch, origin, **fields) -> None:
    monkeypatch.setitem(SETS, "clothing", dataclasses.replace(SETS["clothing"], origin=origin, **fields))


@needs_git
def test_exactly_the_pinned_commit_is_fetched_once(remote, tmp_path, monkeypatch):
    mirror, commit = remote
    pin(monkeypatch, Repository(URL, commit))
    monkeypatch.setenv("ZOO_MIRROR", str(mirror))
    monkeypatch.setenv("ZOO_OFFLINE", "1")  # a mirror on disk is no network
    folder = sets.locate("clothing")
    assert folder == tmp_path / "cache" / "sets" / f"clothing-{commit[:12]}"
    assert sorted(path.name for path in folder.iterdir()) == ["LICENSE", "hat", "shoe"]
    assert not (folder / "hat" / "later.txt").exists()
    assert (folder / "hat" / "0.png").read_bytes() == (tmp_path / "work" / "hat" / "0.png").read_bytes()
    shutil.rmtree(mirror)
    dataset = sets.load("clothing")
    assert (dataset.name, dataset.kind, dataset.classes) == ("clothing", "public", ("hat", "shoe"))
    assert commit in dataset.notes[0]
    assert "CC0" in dataset.notes[0]
    assert sum(map(len, dataset.splits.values())) == 8
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@needs_git
@pytest.mark.parametrize("damage", ["unknown commit", "corrupt object", "no repository"])
def test_what_is_not_the_pinned_commit_leaves_nothing(damage, remote, tmp_path, monkeypatch):
    mirror, commit = remote
    bare = mirror / "example.org" / "somebody" / "clothes.git"
    if damage == "unknown commit":
        commit = "0" * 39 + "1"
    elif damage == "corrupt object":
        for file in [path for path in bare.rglob("objects/*/*") if path.is_file()]:
            data = bytearray(file.read_bytes())
            data[len(data) // 2] ^= 0xFF
            file.chmod(0o644)
            file.write_bytes(data)
    else:
        shutil.rmtree(bare / "refs")
    pin(monkeypatch, Repository(URL, commit))
    monkeypatch.setenv("ZOO_MIRROR", str(mirror))
    with pytest.raises(FetchError, match="cannot be fetched from file://.*git fetch says.*set ZOO_DATA"):
        sets.locate("clothing")
    assert list((tmp_path / "cache" / "sets").iterdir()) == []


@needs_git
def test_a_server_that_answers_with_another_commit_is_refused(remote, tmp_path, monkeypatch):
    mirror, commit = remote
    pin(monkeypatch, Repository(URL, commit))
    monkeypatch.setenv("ZOO_MIRROR", str(mirror))
    real = sets._git
    monkeypatch.setattr(sets, "_git", lambda *a, **k: "f" * 40 if "rev-parse" in a else real(*a, **k))
    with pytest.raises(FetchError, match="answered with commit f{40} instead of"):
        sets.locate("clothing")
    assert list((tmp_path / "cache" / "sets").iterdir()) == []


@needs_git
def test_links_hooks_and_a_surrounding_repository_do_not_matter(remote, tmp_path, monkeypatch):
    mirror, _ = remote
    work = tmp_path / "work"
    (work / "hat" / "link.png").symlink_to("/etc/hostname")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "--message", "link")
    commit = git(work, "rev-parse", "HEAD")
    git(work, "push", "--quiet", str(mirror / "example.org/somebody/clothes.git"), "HEAD:refs/heads/other")
    pin(monkeypatch, Repository(URL, commit))
    monkeypatch.setenv("ZOO_MIRROR", str(mirror))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    folder = sets.locate("clothing")
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    assert not (tmp_path / "elsewhere").exists()


def test_without_the_network_the_next_step_is_told(monkeypatch):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(FetchError, match="ZOO_OFFLINE forbids the network and the set 'clothing' is not here yet. Set ZOO_DATA to"):
        sets.locate("clothing")
    with pytest.raises(OSError, match="ZOO_OFFLINE forbids the network"):
        sets.locate("flowers")


@needs_git
def test_an_unreachable_server_is_a_clear_error(monkeypatch, tmp_path):
    pin(monkeypatch, Repository("http://127.0.0.1:9/a/b", "1" * 40))  # nothing listens there
    with pytest.raises(FetchError, match=r"'clothing' cannot be fetched from http://127.0.0.1:9/a/b: git fetch says.*or use scenes"):
        sets.locate("clothing")
    assert list((tmp_path / "cache" / "sets").iterdir()) == []


def test_without_git_the_next_step_is_told(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FetchError, match="git, which is not installed; install git, or set ZOO_DATA"):
        sets.locate("clothing")


def test_a_git_that_hangs_is_stopped_with_its_children(tmp_path, monkeypatch):
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\nsleep 60 >/dev/null 2>&1 &\necho $! > {tmp_path / 'child'}\nwait\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    with pytest.raises(FetchError, match="took more than 2 s and was stopped"):
        sets._git("clothing", URL, tmp_path, "fetch", seconds=2)
    child = int((tmp_path / "child").read_text())
    for _ in range(200):
        if not _alive(child):
            break
        time.sleep(0.01)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_zoo_data_comes_first(tmp_path, monkeypatch):
    pictures(tmp_path / "data" / "clothing10")
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    dataset = sets.load("clothing", seed=3)
    assert sum(map(len, dataset.splits.values())) == 8
    assert any("below ZOO_DATA, which may hold the pictures at another size" in note for note in dataset.notes)
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    with pytest.raises(FetchError):
        sets.locate("clothing")


@pytest.fixture
def archived(tmp_path, monkeypatch):
    """A set in an archive on a mirror: (archive file, origin)."""
    pictures(tmp_path / "flower_photos")
    file = tmp_path / "mirror" / "example.org" / "flowers.tgz"
    file.parent.mkdir(parents=True)
    with tarfile.open(file, "w:gz") as archive:
        archive.add(tmp_path / "flower_photos", "flower_photos")
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    return file, Archive("https://example.org/flowers.tgz", file_digest(file), file.stat().st_size, "flower_photos")


def test_an_archive_is_verified_and_unpacked_once(archived, tmp_path, monkeypatch):
    file, origin = archived
    pin(monkeypatch, origin)
    folder = sets.locate("clothing")
    assert folder.parent == tmp_path / "cache" / "sets" / f"clothing-{origin.digest[7:19]}"
    file.unlink()
    dataset = sets.load("clothing")
    assert dataset.classes == ("hat", "shoe")
    assert "https://example.org/flowers.tgz" in dataset.notes[0]


def test_another_archive_is_refused(archived, tmp_path, monkeypatch):
    _, origin = archived
    pin(monkeypatch, dataclasses.replace(origin, digest="sha256:" + "0" * 64))
    with pytest.raises(OSError, match=r"flowers\.tgz"):
        sets.locate("clothing")
    assert not list((tmp_path / "cache").glob("sets/*"))


def test_an_unknown_set_is_named():
    with pytest.raises(ValueError, match="no public set called 'shirts'; sets: clothing, flowers"):
        sets.load("shirts")


@pytest.mark.parametrize("name", SETS)
def test_every_record_is_complete(name):
    record = SETS[name]
    assert record.origin.url.startswith("https://")
    assert record.licence
    assert record.credit
    assert record.local
    assert f"{record.images:,}" in record.title
    if isinstance(record.origin, Repository):
        assert re.fullmatch(r"[0-9a-f]{40}", record.origin.commit)
    else:
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", record.origin.digest)
        assert record.size == f"{record.origin.bytes / 1e6:.0f} MB"
    text = sets.table()
    assert f"{name}: {record.title}" in text
    assert record.licence in text
    assert record.origin.url in text


def test_a_commit_must_be_whole(monkeypatch):
    pin(monkeypatch, Repository(URL, "main"))
    with pytest.raises(ValueError, match="40 hex digits, got 'main'"):
        sets.locate("clothing")


def test_flowers_agree_with_the_record_of_tensorflow_datasets():
    """TFDS publishes size and sha256 of the same archive."""
    import importlib.util

    spec = importlib.util.find_spec("tensorflow_datasets")
    if spec is None:
        pytest.skip("tensorflow_datasets is not installed")
    (line,) = Path(spec.origin).with_name("datasets").joinpath("tf_flowers", "checksums.tsv").read_text().splitlines()
    url, size, digest, _ = line.split("\t")
    origin = SETS["flowers"].origin
    assert (int(size), f"sha256:{digest}") == (origin.bytes, origin.digest)
    assert url.split("://")[1] in origin.url


@pytest.mark.skipif(_REAL is None, reason="needs clothing10 below ZOO_DATA")
def test_the_real_clothing_photos(monkeypatch):
    monkeypatch.setenv("ZOO_DATA", _REAL)
    dataset = sets.load("clothing")
    assert dataset.classes == ("dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt", "t-shirt")
    assert list(dataset.counts()["train"]) == [241, 123, 455, 184, 468, 290, 198, 202, 112, 795]  # as their source counts them
    assert {name: len(part) for name, part in dataset.splits.items()} == {"train": 3068, "validation": 341, "test": 372}
