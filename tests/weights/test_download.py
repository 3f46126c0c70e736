"""Downloads: whatever the server, the disk or another worker does, the good name only ever holds the published bytes."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from zoo import download
from zoo.download import DownloadError, fetch

from .conftest import CONTENT, DIGEST

ROOT = Path(__file__).resolve().parents[2]


def left_over(folder: Path) -> list[str]:
    """Files in the cache, apart from locks."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock"))


@pytest.mark.parametrize("digest", [DIGEST, f"md5:{hashlib.md5(CONTENT).hexdigest()}"])
@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_fetch_keeps_one_verified_copy(server, tmp_path, digest, size):
    path = fetch(server.url, digest=digest, bytes=size)
    assert path.read_bytes() == CONTENT
    assert path.is_relative_to(tmp_path / "cache")
    assert fetch(server.url, digest=digest, bytes=size) == path
    assert len(server.hits) == 1
    assert left_over(tmp_path) == ["a.h5"]


def test_folder_is_used_instead_of_the_cache(server, tmp_path):
    assert fetch(server.url, digest=DIGEST, folder=tmp_path / "mine").is_relative_to(tmp_path / "mine")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("mode", "size", "message"),
    [
        ("html", None, "web page"),
        ("html", len(CONTENT), "ended after"),
        ("404", None, "answered 404"),
        ("short", None, "not the published one"),
        ("short", len(CONTENT), "ended after 1,000 of 204,800 bytes"),
        ("cut", len(CONTENT), "ended after|cannot be reached"),
        ("long", len(CONTENT), "larger than the 204,800 bytes"),
        ("flipped", len(CONTENT), "expected sha256"),
        ("redirect", None, "not https"),
        ("stall", None, "sent nothing for 0.2 s"),
    ],
)
def test_bad_answers_leave_nothing_and_a_retry_works(server, tmp_path, mode, size, message):
    server.mode = mode
    with pytest.raises(DownloadError, match=message):
        fetch(server.url, digest=DIGEST, bytes=size, timeout=0.2)
    assert left_over(tmp_path) == []
    server.mode = "good"
    assert fetch(server.url, digest=DIGEST, bytes=size).read_bytes() == CONTENT


def test_more_than_the_limit_is_never_written(server, monkeypatch, tmp_path):
    monkeypatch.setattr(download, "_CHUNK", 1000)
    with pytest.raises(DownloadError, match="larger than the 5,000 bytes"):
        fetch(server.url, digest=DIGEST, limit=5000)
    assert left_over(tmp_path) == []


def test_no_server_at_all(server):
    server.close()
    with pytest.raises(DownloadError, match="cannot be reached"):
        fetch(server.url, digest=DIGEST)


def test_a_damaged_copy_is_fetched_again_and_kept_while_it_cannot_be(server, monkeypatch):
    path = fetch(server.url, digest=DIGEST)
    path.write_bytes(b"x" + CONTENT[1:])
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(DownloadError, match="ZOO_OFFLINE"):
        fetch(server.url, digest=DIGEST)
    assert path.exists()
    monkeypatch.delenv("ZOO_OFFLINE")
    assert fetch(server.url, digest=DIGEST).read_bytes() == CONTENT


def test_offline_names_the_url_and_the_place(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.delenv("ZOO_MIRROR", raising=False)
    with pytest.raises(DownloadError) as error:
        fetch("https://example.com/files/a.h5", digest=DIGEST)
    assert "https://example.com/files/a.h5" in str(error.value)
    assert str(tmp_path / "example.com" / "files" / "a.h5") in str(error.value)


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_offline_is_off_by_these_values(monkeypatch, value):
    monkeypatch.setenv("ZOO_OFFLINE", value)
    assert not download.offline()


def test_a_mirror_folder_serves_in_place_even_offline(monkeypatch, tmp_path):
    file = tmp_path / "mirror" / "example.com" / "files" / "a.h5"
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert fetch("https://example.com/files/a.h5", digest=DIGEST) == file
    file.write_bytes(CONTENT[:-1])
    with pytest.raises(DownloadError, match="correct the mirror"):
        fetch("https://example.com/files/a.h5", digest=DIGEST)
    assert file.exists()
    assert not (tmp_path / "cache").exists()


def test_a_mirror_address_serves_before_the_network(server, monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_MIRROR", server.url.rsplit("/files", 1)[0])
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert fetch("https://example.com/files/a.h5", digest=DIGEST).read_bytes() == CONTENT
    assert server.hits == ["/example.com/files/a.h5"]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.h5",
        "file:///etc/passwd",
        "ftp://example.com/a",
        "https://example.com",
        "https://example.com/",
        "https://example.com/../a",
        "https://example.com/a/../../b",
        "https://example.com/a.h5?token=1",
    ],
)
def test_strange_addresses_are_refused(url):
    with pytest.raises(ValueError, match="https"):
        fetch(url, digest=DIGEST)


@pytest.mark.parametrize(
    "digest", [DIGEST.upper(), DIGEST[:7] + DIGEST[7:].upper(), DIGEST[:-1], DIGEST.removeprefix("sha256:"), "", "md5:" + "0" * 31]
)
def test_wrong_digests_are_refused_before_anything_is_asked_for(server, digest):
    with pytest.raises(ValueError, match="digest is"):
        fetch(server.url, digest=digest)
    assert server.hits == []


def test_workers_race_for_one_download(server):
    code = f"from zoo.download import fetch; print(fetch({server.url!r}, digest={DIGEST!r}))"
    workers = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
    paths = []
    threads = [threading.Thread(target=lambda: paths.append(fetch(server.url, digest=DIGEST))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers = [worker.communicate(timeout=60)[0].decode().strip() for worker in workers]
    assert {str(path) for path in paths} == set(answers)
    assert len(answers) == 2
    assert len(server.hits) == 1


def test_kill_during_a_download_then_retry(server, tmp_path):
    server.mode = "stall"
    code = f"from zoo.download import fetch; fetch({server.url!r}, digest={DIGEST!r})"
    worker = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    assert server.reached.wait(60)
    worker.send_signal(signal.SIGKILL)
    worker.wait(10)
    assert "a.h5" not in left_over(tmp_path)
    server.mode = "good"
    assert fetch(server.url, digest=DIGEST).read_bytes() == CONTENT
    assert left_over(tmp_path) == ["a.h5"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a file system that nobody can write to")
def test_a_read_only_folder_says_what_to_do(server, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", "/proc/zoo")
    with pytest.raises(DownloadError, match="cannot write /proc/zoo.*Set ZOO_CACHE"):
        fetch(server.url, digest=DIGEST)


def test_a_full_disk_is_seen_before_and_during_the_download(server, monkeypatch, tmp_path):
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(download.shutil, "disk_usage", lambda _: usage._replace(free=10))
        with pytest.raises(DownloadError, match="disk is full"):
            fetch(server.url, digest=DIGEST, bytes=len(CONTENT))
    assert server.hits == []

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(download.os, "fsync", full)
        with pytest.raises(DownloadError, match="disk is full"):
            fetch(server.url, digest=DIGEST)
    assert left_over(tmp_path) == []
    assert fetch(server.url, digest=DIGEST).read_bytes() == CONTENT


def test_progress_is_shown_to_a_person(server, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    fetch(server.url, digest=DIGEST)
    assert "a.h5: 0.2 of 0.2 MB" in capsys.readouterr().err
