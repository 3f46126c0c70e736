"""Files by URL and digest: user cache, mirror, network, in this order; verified whichever way they came.

    ZOO_CACHE    folder of the cache; default ~/.cache/vision-zoo
    ZOO_MIRROR   folder, https address or local http address that serves the same files; its layout is the URL without the scheme
    ZOO_OFFLINE  1 forbids the network

The variables are read when a function is called. Only the standard library is used. A download goes to `NAME.part` beside
its final place, is hashed while it streams, flushed to disk and renamed, under a lock that dies with its process: a kill,
a full disk or a second worker never leaves a bad file under the good name.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

_LENGTHS = {"sha256": 64, "md5": 32}
_CHUNK = 1 << 20
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class DownloadError(OSError):
    """A file could not be had, or is not the published one. Nothing bad was left under its name."""


def fetch(
    url: str,
    *,
    digest: str | None,
    bytes: int | None = None,
    limit: int | None = None,
    folder: str | os.PathLike | None = None,
    timeout: float = 60.0,
) -> Path:
    """The verified local copy of `url`.

    digest:  "sha256:<64 hex>" or "md5:<32 hex>"; the file is hashed every time, before anyone parses it. None where the publisher
             states none: the sha256 of the first download is printed, kept beside the file (NAME.sha256) and required from then on.
    bytes:   exact size where it is known.
    limit:   most bytes accepted where the size is not known; default 4 GiB.
    folder:  where it is kept instead of the user cache; the layout below it is the URL without its scheme.
    timeout: seconds without a byte after which the server is given up.

    Raises DownloadError (an OSError) that names the URL, the file and the next step; ValueError for a bad url or digest.
    """
    place = _place(url)
    root = Path(folder) if folder is not None else cache_folder()
    target = root / place
    first_seen = target.with_name(f"{target.name}.sha256")
    if digest is None:
        digest = first_seen.read_text(encoding="utf-8").strip() if first_seen.is_file() else _ANY
    if digest != _ANY:
        split_digest(digest)
    if target.is_file() and _matches(target, digest, bytes):
        return target
    mirror = os.environ.get("ZOO_MIRROR", "")
    if mirror and "://" not in mirror:
        copy = Path(mirror) / place
        if copy.is_file():
            return _checked(copy, digest, bytes, url)
    addresses = [f"{mirror.rstrip('/')}/{place}"] if "://" in mirror else []
    if not offline():
        addresses.append(url)
    if not addresses:
        raise DownloadError(_offline_message(url, target))
    fetched = _fetch(addresses, target, digest, bytes, limit or 4 << 30, timeout)
    if digest == _ANY:
        kept = file_digest(fetched)
        first_seen.write_text(f"{kept}\n", encoding="utf-8")
        _say(f"{url} has no published digest; this file has {kept}, which is required from now on")
    return fetched


_ANY = "sha256:"
"""Begins every sha256: what a file must match of which nothing is known yet."""


def held(url: str) -> bool:
    """Whether the file of `url` is on this machine already, in the cache or in a mirror folder, so that `fetch` needs no network."""
    place, mirror = _place(url), os.environ.get("ZOO_MIRROR", "")
    return (cache_folder() / place).is_file() or (bool(mirror) and "://" not in mirror and (Path(mirror) / place).is_file())


def split_digest(digest: str) -> tuple[str, str]:
    """ "sha256:<64 hex>", its first 8 to 16 digits, or "md5:<32 hex>" -> (algorithm, hex).

    Only lower case and the exact lengths are accepted, so that a typing mistake can never turn one algorithm into another.
    The beginning of a sha256 is what torchvision and timm write into their file names; like md5, eight digits guard against
    accident, not against an attacker.
    md5 guards against accident, not against an attacker; it is accepted because for some files the publisher offers nothing better.
    """
    algorithm, _, value = str(digest).partition(":")
    length = _LENGTHS.get(algorithm)
    beginning = algorithm == "sha256" and re.fullmatch("[0-9a-f]{8,16}", value)
    if length is None or not (beginning or re.fullmatch(f"[0-9a-f]{{{length}}}", value)):
        raise ValueError(
            f"a digest is 'sha256:' and 64 (or the first 8 to 16), or 'md5:' and 32 lower-case hexadecimal digits, got {digest!r}; "
            "copy it from the publisher"
        )
    return algorithm, value


def cache_folder() -> Path:
    """ZOO_CACHE, or ~/.cache/vision-zoo."""
    return Path(os.environ.get("ZOO_CACHE") or Path.home() / ".cache" / "vision-zoo")


def offline() -> bool:
    """Whether ZOO_OFFLINE forbids the network; "", "0", "false" and "no" do not."""
    return os.environ.get("ZOO_OFFLINE", "").lower() not in ("", "0", "false", "no")


def file_digest(path: str | os.PathLike, algorithm: str = "sha256") -> str:
    """ "sha256:<hex>" (or "md5:<hex>") of a file, read in chunks."""
    with open(path, "rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, lambda: _hash(algorithm)).hexdigest()}"


def _place(url: str) -> str:
    """https://host/a/b.h5 -> host/a/b.h5; anything that could leave the cache folder is refused."""
    parts = urlsplit(url)
    _require_safe(url)
    place = f"{parts.netloc}{parts.path}"
    names = place.split("/")
    if len(names) < 2 or parts.query or parts.fragment or any(not re.fullmatch(r"[\w.+@%:~-]+", n) or set(n) == {"."} for n in names):
        raise ValueError(f"the address {url!r} does not name a file: it must be https://host/path/file without a query")
    return place.replace(":", "_")


def _require_safe(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL_HOSTS):
        return
    raise ValueError(f"only https addresses are fetched (http from this machine alone), got {address!r}")


def _fetch(addresses, target: Path, digest, size, limit, timeout) -> Path:
    with _explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _lock(target.with_name(f".{target.name}.lock")):
            if target.is_file() and _matches(target, digest, size):  # another worker was faster
                return target
            if target.is_file():
                _say(f"{target} is not the published file any more; fetching it again")
            for position, address in enumerate(addresses, start=1):
                try:
                    return _download(address, target, digest, size, limit, timeout)
                except DownloadError as error:
                    if position == len(addresses):
                        raise
                    _say(f"{error}; trying {addresses[position]}")
    raise AssertionError("unreachable: every address returns or raises")


def _download(address: str, target: Path, digest: str, size: int | None, limit: int, timeout: float) -> Path:
    _require_safe(address)
    if size is not None and shutil.disk_usage(target.parent).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    part = target.with_name(f"{target.name}.part")  # the lock is ours, so an old one belongs to a dead process
    try:
        with part.open("wb") as file:
            got, count = _stream(address, file, digest, size if size is not None else limit, timeout)
            file.flush()
            os.fsync(file.fileno())
        if size is not None and count != size:
            raise DownloadError(f"{address} ended after {count:,} of {size:,} bytes; run again, the connection may have been cut")
        if not got.startswith(digest):
            with part.open("rb") as file:
                page = file.read(256).lstrip()[:1] == b"<"
            cause = (
                "the server sent a web page instead of the file (a login or error page?)"
                if page
                else "the file there is not the published one"
            )
            raise DownloadError(
                f"{address} has {got}, expected {digest}: {cause}. Nothing was kept; run again, or put the right file at {target}"
            )
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _stream(address: str, file, digest: str, limit: int, timeout: float) -> tuple[str, int]:
    """Copy the answer to `file`; returns (digest, bytes). More than `limit` bytes are never written."""
    algorithm = digest.partition(":")[0]
    state, count = _hash(algorithm), 0
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "vision-zoo"})  # noqa: S310 (checked by _require_safe)
        with _OPENER.open(request, timeout=timeout) as answer, _progress(address, answer.headers.get("Content-Length")) as advance:
            while chunk := answer.read1(_CHUNK):
                count += len(chunk)
                if count > limit:
                    raise DownloadError(f"{address} is larger than the {limit:,} bytes it should have; it was not kept")
                state.update(chunk)
                file.write(chunk)
                advance(count)
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadError(f"{address} answered {error.code} {error.reason}; the file may have moved, or a proxy refuses it") from error
    except TimeoutError as error:
        raise DownloadError(f"{address} sent nothing for {timeout:g} s; run again later") from error
    except (urllib.error.URLError, ConnectionError) as error:
        if isinstance(getattr(error, "reason", None), TimeoutError):
            raise DownloadError(f"{address} sent nothing for {timeout:g} s; run again later") from error
        reason = getattr(error, "reason", error)
        raise DownloadError(
            f"{address} cannot be reached: {reason}. Without a network, set ZOO_MIRROR to a folder that serves the same files"
        ) from error
    return f"{algorithm}:{state.hexdigest()}", count


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect may not leave https."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        try:
            _require_safe(newurl)
        except ValueError as error:
            raise DownloadError(f"{req.full_url} redirects to {newurl}, which is not https; it was not followed") from error
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_SafeRedirects)


def _matches(path: Path, digest: str, size: int | None) -> bool:
    algorithm = digest.partition(":")[0]
    return (size is None or path.stat().st_size == size) and file_digest(path, algorithm).startswith(digest)


def _checked(path: Path, digest: str, size: int | None, url: str) -> Path:
    if not _matches(path, digest, size):
        raise DownloadError(
            f"{path} is not the file that {url} publishes: expected {digest}. It was left alone; correct the mirror or unset ZOO_MIRROR"
        )
    return path


def _hash(algorithm: str):
    return hashlib.md5(usedforsecurity=False) if algorithm == "md5" else hashlib.new(algorithm)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Held by one worker at a time; the system releases it when its process dies, so a left-over lock file blocks nobody."""
    with path.open("a+b") as file:
        if sys.platform == "win32":  # pragma: no cover
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _explained(target: Path) -> Iterator[None]:
    """Turn the system's refusal to write into a sentence with a next step."""
    try:
        yield
    except DownloadError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DownloadError(
                f"no room for {target}: the disk is full. Free some space, or set ZOO_CACHE to a folder on another disk"
            ) from error
        raise DownloadError(f"cannot write {target}: {error.strerror or error}. Set ZOO_CACHE to a folder that you may write to") from error


@contextlib.contextmanager
def _progress(address: str, length: str | None) -> Iterator:
    """One line on stderr that counts up, when a person is watching."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    total = f" of {int(length) / 1e6:.1f}" if length and length.isdigit() else ""
    name = address.rsplit("/", 1)[-1]
    yield lambda count: print(f"\r{name}: {count / 1e6:.1f}{total} MB", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def _say(message: str) -> None:
    print(message, file=sys.stderr)


def _offline_message(url: str, target: Path) -> str:
    return (
        f"ZOO_OFFLINE forbids the network and {url} is not here yet. Fetch it on another machine and put it at {target}, "
        f"or set ZOO_MIRROR to a folder that has it at {_place(url)}"
    )
