"""Archives written by an adversary: each attack is refused by name and leaves nothing; honest ones arrive whole."""

from __future__ import annotations

import io
import os
import random
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from zoo.data import extract as room
from zoo.data.extract import ArchiveError, extract

FILES = {"set/cat/1.jpg": b"one", "set/dog/2.jpg": b"two" * 1000, "set/empty": b""}


def tar(path: Path, *members: tarfile.TarInfo | tuple[str, bytes], mode="w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member, io.BytesIO(b"x" * member.size))
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return path


def zipped(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes], compression=zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def zip_link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


def refused(archive: Path, expected: str, **options) -> None:
    """The archive is refused, and neither the target nor anything beside it is left."""
    before = sorted(path for path in archive.parent.rglob("*"))
    with pytest.raises(ArchiveError, match=expected) as caught:
        extract(archive, archive.parent / "out" / "set", **options)
    assert archive.name in str(caught.value)
    assert [path for path in archive.parent.rglob("*") if path.name != "out"] == before


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz", "zip", "stored zip"])
def test_an_honest_archive_arrives_whole(mode, tmp_path):
    path = tmp_path / "archive.bin"  # the name says nothing
    if "zip" in mode:
        zipped(path, *FILES.items(), ("set/hollow/", b""), compression=zipfile.ZIP_STORED if "stored" in mode else zipfile.ZIP_DEFLATED)
    else:
        tar(path, *FILES.items(), special("set/hollow", tarfile.DIRTYPE), mode=mode)
    found = extract(path, tmp_path / "deep" / "out")
    assert found == tmp_path / "deep" / "out"
    assert {file.relative_to(found).as_posix(): file.read_bytes() for file in found.rglob("*") if file.is_file()} == FILES
    assert (found / "set/hollow").is_dir()
    assert [path.name for path in found.parent.iterdir()] == ["out"]
    assert os.access(found, os.R_OK | os.X_OK)


CLIMBING = ["../out.txt", "set/../../out.txt", "/tmp/zoo-absolute.txt", "C:/out.txt", "C:out.txt", "..\\out.txt", "\\\\host\\share", "a\nb"]


@pytest.mark.parametrize("name", CLIMBING)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_path_outside_the_target_is_refused(kind, name, tmp_path):
    write = tar if kind == "tar" else zipped
    refused(write(tmp_path / "a", ("good.txt", b"x"), (name, b"x")), "would be written outside the target")
    assert not Path("/tmp/zoo-absolute.txt").exists()


@pytest.mark.parametrize(
    "member",
    [
        special("link", tarfile.SYMTYPE, "/etc/passwd"),
        special("link", tarfile.SYMTYPE, "good.txt"),
        special("hard", tarfile.LNKTYPE, "good.txt"),
        special("hard", tarfile.LNKTYPE, "/etc/passwd"),
        special("device", tarfile.CHRTYPE),
        special("block", tarfile.BLKTYPE),
        special("pipe", tarfile.FIFOTYPE),
        special("odd", b"Z"),
    ],
    ids=lambda info: f"{info.name}-{info.linkname}",
)
def test_links_and_devices_in_a_tar_are_refused(member, tmp_path):
    refused(tar(tmp_path / "a.tgz", ("good.txt", b"x"), member), "link or device")


def test_a_link_in_a_zip_is_refused(tmp_path):
    refused(zipped(tmp_path / "a.zip", ("good.txt", b"x"), (zip_link("link"), b"/etc/passwd")), "'link' is a link or device")


def test_an_encrypted_zip_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", ("good.txt", b"x"))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    refused(path, "encrypted")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_bomb_by_ratio_is_refused(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "_RATIO_FREE", 1 << 20)
    write = tar if kind == "tar" else zipped
    path = write(tmp_path / "a", ("zeros", bytes(8 << 20)))
    assert path.stat().st_size < 50_000
    refused(path, "unpacks to more than agreed")
    extract(path, tmp_path / "trusted", max_ratio=100_000)


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_bomb_by_total_is_refused_whatever_it_declares(kind, tmp_path):
    write = tar if kind == "tar" else zipped
    members = [(f"{i}", random.Random(i).randbytes(1000)) for i in range(30)]
    refused(write(tmp_path / "a", *members), "unpacks to more than agreed", max_bytes=20_000)


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", ("zeros", bytes(100_000)))
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    refused(path, "whole zip or tar|more than agreed")


def test_headers_count_too(tmp_path):
    """A long PAX header is unpacked into memory before any member is seen."""
    path = tmp_path / "a.tgz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a")
        info.pax_headers = {"comment": "x" * 500_000}
        archive.addfile(info)
    refused(path, "more than agreed", max_bytes=100_000)


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_too_many_files_are_refused(kind, tmp_path):
    write = tar if kind == "tar" else zipped
    path = write(tmp_path / "a", *((f"{i}", b"") for i in range(11)))
    refused(path, "more than 10 files", max_files=10)
    assert len(list(extract(path, tmp_path / "fine", max_files=11).iterdir())) == 11


@pytest.mark.parametrize("names", [("a", "a"), ("a", "A"), ("a", "./a"), ("a", "a/b"), ("a/b", "a")])
def test_colliding_members_are_refused(names, tmp_path):
    refused(tar(tmp_path / "a.tgz", *((name, b"x") for name in names)), "occurs twice|collides")


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("fraction", [0, 0.05, 0.5, 0.9, 0.99])
def test_a_truncated_archive_leaves_nothing(kind, fraction, tmp_path):
    write = tar if kind == "tar" else zipped
    path = write(tmp_path / "a", *((f"{i}", random.Random(i).randbytes(20_000)) for i in range(5)))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * fraction)])
    refused(path, "not a whole zip or tar")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_flipped_byte_is_refused(kind, tmp_path):
    write = tar if kind == "tar" else zipped
    path = write(tmp_path / "a", ("noise", random.Random(0).randbytes(50_000)))
    data = bytearray(path.read_bytes())
    data[25_000] ^= 1
    path.write_bytes(data)
    refused(path, "not a whole zip or tar")


NONSENSE = [b"<html>404</html>", b"\x1f\x8bnonsense", b"BZh9nonsense", b"\xfd7zXZ\0nonsense", b"PK\3\4nonsense", b"\0" * 100]


@pytest.mark.parametrize("content", NONSENSE)
def test_something_else_is_refused(content, tmp_path):
    (tmp_path / "a.tgz").write_bytes(content)
    refused(tmp_path / "a.tgz", "not a whole zip or tar")


def test_an_interrupt_leaves_nothing_and_the_next_try_succeeds(tmp_path, monkeypatch):
    path, target = tar(tmp_path / "a.tgz", *FILES.items()), tmp_path / "out" / "set"
    write, calls = room._write, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        write(*arguments)

    monkeypatch.setattr(room, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract(path, target)
    assert list((tmp_path / "out").iterdir()) == []
    assert (extract(path, target) / "set/cat/1.jpg").read_bytes() == b"one"


def test_leftovers_of_a_killed_process_are_removed_after_a_day(tmp_path):
    path, out = tar(tmp_path / "a.tgz", *FILES.items()), tmp_path / "out"
    for name, age in ((".set-old.part", 90_000), (".set-new.part", 10), (".other-old.part", 90_000)):
        (out / name).mkdir(parents=True)
        os.utime(out / name, (time.time() - age,) * 2)
    extract(path, out / "set")
    assert sorted(path.name for path in out.iterdir()) == [".other-old.part", ".set-new.part", "set"]


def test_of_two_at_once_the_first_to_finish_wins(tmp_path):
    def slower(part):
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "first").write_text("kept")
        (part / "second").write_text("dropped")

    room.whole(tmp_path / "set", slower)
    assert [path.name for path in tmp_path.rglob("*")] == ["set", "first"]


def test_an_existing_target_is_not_touched(tmp_path):
    (tmp_path / "set").mkdir()
    with pytest.raises(FileExistsError, match="exists already"):
        extract(tar(tmp_path / "a.tgz", *FILES.items()), tmp_path / "set")
