"""Unpack an archive that was written by somebody else: only plain files, only below the target, only as much as was agreed.

Everything is written to a temporary folder beside the target and renamed at the end, so the target is whole or absent.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import shutil
import stat
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

_CHUNK = 1 << 20
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)
_RATIO_FREE = 64 << 20  # below this many unpacked bytes a high ratio harms nobody


class ArchiveError(ValueError):
    """An archive that is damaged, or asks for more than to be unpacked. Nothing of it was left."""


def extract(
    archive: str | os.PathLike, folder: str | os.PathLike, *, max_bytes: int = 8 << 30, max_files: int = 500_000, max_ratio: float = 200.0
) -> Path:
    """Unpack a .zip or a .tar (plain, gz, bz2, xz; told by content) to `folder`, which must not exist; returns it.

    max_bytes: most bytes when unpacked, counted while writing: what the archive declares is not believed.
    max_files: most members.
    max_ratio: most unpacked bytes per archive byte, beyond the first 64 MiB.

    Raises ArchiveError naming the member: absolute or climbing paths, links, devices, encrypted members, one name twice, a bomb,
    a damaged or unknown archive. FileExistsError when `folder` exists.
    """
    archive, folder = Path(archive), Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} exists already; delete it to unpack {archive.name} again")
    limit = min(max_bytes, max(_RATIO_FREE, int(archive.stat().st_size * max_ratio)))

    def fill(part: Path) -> None:
        seen: set[str] = set()
        for name, is_folder, source in _members(archive, limit):
            if len(seen) >= max_files:
                raise ArchiveError(f"{archive.name} holds more than {max_files} files; refused")
            target = part.joinpath(*_safe(name, archive))
            if str(target).casefold() in seen and not is_folder:
                raise ArchiveError(f"{archive.name}: {name!r} occurs twice; refused")
            seen.add(str(target).casefold())
            _write(target, source, archive, name)

    try:
        whole(folder, fill)
    except (*_DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk speaks, not the archive
            raise
        raise ArchiveError(f"{archive.name} is not a whole zip or tar archive ({error}); delete it and fetch it again") from error
    return folder


def whole(folder: Path, fill: Callable[[Path], None]) -> None:
    """Call `fill(part)` on a temporary folder beside `folder` and rename it to `folder`; on any error nothing is left.

    When another process was faster its folder is kept. What a killed process left a day ago is removed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{folder.name}-*.part"):
        if time.time() - left.stat().st_mtime > 86_400:
            shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=".part", dir=folder.parent))
    try:
        fill(part)
        part.chmod(0o755)
        try:
            os.replace(part, folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _members(archive: Path, limit: int) -> Iterator[tuple[str, bool, BinaryIO | None]]:
    if zipfile.is_zipfile(archive):
        yield from _zip_members(archive, limit)
    else:
        yield from _tar_members(archive, limit)


def _zip_members(archive: Path, limit: int):
    left = [limit]
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ArchiveError(f"{archive.name}: {info.filename!r} is a link or device; refused")
            if info.flag_bits & 1:
                raise ArchiveError(f"{archive.name}: {info.filename!r} is encrypted; refused")
            if info.is_dir():
                yield info.filename, True, None
                continue
            with opened.open(info) as source:
                yield info.filename, False, _Capped(source, left, archive)


def _tar_members(archive: Path, limit: int):
    """One pass over the unpacked stream, whose every byte is counted, headers too."""
    with archive.open("rb") as raw:
        start = raw.read(6)
        raw.seek(0)
        openers: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
        opener = next((opener for magic, opener in openers.items() if start.startswith(magic)), None)
        stream = opener(raw) if opener else raw
        capped = _Capped(stream, [limit], archive)
        with tarfile.open(fileobj=cast(BinaryIO, capped), mode="r|") as opened:
            for info in opened:
                if not (info.isreg() or info.isdir()) or info.issparse():
                    raise ArchiveError(f"{archive.name}: {info.name!r} is a link or device; refused")
                yield info.name, info.isdir(), None if info.isdir() else opened.extractfile(info)
        while capped.read():  # to the end, where the checksum of the compressed stream stands
            pass


def _safe(name: str, archive: Path) -> list[str]:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\\" in name or re.match(r"[A-Za-z]:", name) or re.search(r"[\0-\x1f]", name):
        raise ArchiveError(f"{archive.name}: {name!r} would be written outside the target; refused")
    return parts


def _write(target: Path, source: BinaryIO | None, archive: Path, name: str) -> None:
    try:
        if source is None:
            target.mkdir(parents=True, exist_ok=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            shutil.copyfileobj(source, file, _CHUNK)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ArchiveError(f"{archive.name}: {name!r} collides with another member; refused") from error


class _Capped:
    """A readable that stops a bomb: every byte read is taken off a shared allowance."""

    def __init__(self, file, left: list[int], archive: Path):
        self.file, self.left, self.archive = file, left, archive

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(_CHUNK if size is None or size < 0 else min(size, _CHUNK))
        self.left[0] -= len(data)
        if self.left[0] < 0:
            raise ArchiveError(f"{self.archive.name} unpacks to more than agreed, as a bomb does; refused")
        return data
