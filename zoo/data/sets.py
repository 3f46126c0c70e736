"""Named public sets of pictures, each pinned by content: an archive by its sha256, a git repository by its commit.

Looked for in this order: `ZOO_DATA` (a folder of data sets), the user cache, `ZOO_MIRROR`, the network. `ZOO_OFFLINE=1` forbids the last.
The variables are read when a set is asked for.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from zoo.data.dataset import Dataset
from zoo.data.extract import extract, whole
from zoo.data.folder import read_folder


@dataclass(frozen=True)
class Archive:
    """One file. digest: "sha256:<64 hex>"; bytes: exact size; inside: the folder in the archive that holds the classes."""

    url: str
    digest: str
    bytes: int
    inside: str = ""


@dataclass(frozen=True)
class Repository:
    """One commit of a git repository. git names content by its hash, so the commit pins every byte of the tree."""

    url: str
    commit: str


@dataclass(frozen=True)
class PublicSet:
    """A data set that anybody may fetch.

    title:    what it shows.
    licence:  and on whose word.
    images:   number of pictures.
    size:     about how much is fetched.
    origin:   `Archive` or `Repository`.
    credit:   who made it.
    local:    folder names below ZOO_DATA that hold it, possibly scaled down.
    """

    title: str
    licence: str
    images: int
    size: str
    origin: Archive | Repository
    credit: str
    local: tuple[str, ...] = ()


SETS = {
    "clothing": PublicSet(
        title="3,781 photos of clothes in 10 classes, with train, validation and test",
        licence="CC0 1.0 (LICENSE of the repository)",
        images=3_781,
        size="unknown before it is fetched",
        origin=Repository("https://github.com/alexeygrigorev/clothing-dataset-small", "11961516512414bf9f6c150a832cfd21b54a6b54"),
        credit="Alexey Grigorev and contributors",
        local=("clothing", "clothing-dataset-small", "clothing10"),
    ),
    "flowers": PublicSet(
        title="3,670 photos of flowers in 5 classes, not divided",
        licence="CC BY 2.0, each photo by its own author (LICENSE.txt in the archive)",
        images=3_670,
        size="229 MB",
        # size and sha256 as TensorFlow Datasets publishes them for tf_flowers
        origin=Archive(
            "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
            "sha256:4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
            228_813_984,
            inside="flower_photos",
        ),
        credit="the TensorFlow team and the photographers",
        local=("flowers", "flower_photos"),
    ),
}


class FetchError(OSError):
    """A set could not be had. Nothing half was left; the message tells the next step."""


def load(name: str, *, seed: int = 0, skip_bad: bool = False) -> Dataset:
    """The named set as a Dataset, fetched if needed; licence and origin stand in its notes.

    seed: divides a set that is not divided by its makers. Raises ValueError for an unknown name, FetchError (an OSError) when the set
    cannot be had, and what `read_folder` raises.
    """
    record = _record(name)
    folder = locate(name)
    dataset = read_folder(folder, seed=seed, skip_bad=skip_bad)
    source = f"{record.origin.url} at commit {record.origin.commit}" if isinstance(record.origin, Repository) else record.origin.url
    notes = [f"{record.title}, by {record.credit}. Source: {source}. Licence: {record.licence}."]
    if _local(record) == folder:
        notes.append(f"Read from {folder.name} below ZOO_DATA, which may hold the pictures at another size than the source.")
    return dataclasses.replace(dataset, name=name, kind="public", notes=(*notes, *dataset.notes))


def locate(name: str, record: PublicSet | None = None) -> Path:
    """The folder of the named set: below ZOO_DATA, or in the user cache, fetched first if it is not there. `record` tells of a set that is
    not one of `SETS`."""
    record = record or _record(name)
    if (local := _local(record)) is not None:
        return local
    from zoo.download import cache_folder, fetch

    origin = record.origin
    pin = origin.commit[:12] if isinstance(origin, Repository) else origin.digest.split(":")[1][:12]
    folder = cache_folder() / "sets" / f"{name}-{pin}"
    if not folder.is_dir():
        if isinstance(origin, Repository):
            _clone(name, origin, folder, record)
        else:
            extract(fetch(origin.url, digest=origin.digest, bytes=origin.bytes), folder)
    return folder / origin.inside if isinstance(origin, Archive) else folder


def table() -> str:
    """Every named set as plain text: name, title, licence, size, source."""
    blocks = []
    for name, record in SETS.items():
        source = f"{record.origin.url} @ {record.origin.commit[:12]}" if isinstance(record.origin, Repository) else record.origin.url
        rows = (("licence", record.licence), ("download", record.size), ("source", source), ("by", record.credit))
        blocks.append("\n".join([f"{name}: {record.title}", *(f"  {key:9}{value}" for key, value in rows)]))
    return "\n\n".join(blocks)


def _record(name: str) -> PublicSet:
    if name not in SETS:
        raise ValueError(f"there is no public set called {name!r}; sets: {', '.join(SETS)}")
    return SETS[name]


def _local(record: PublicSet) -> Path | None:
    root = os.environ.get("ZOO_DATA")
    return next((Path(root, name) for name in record.local if Path(root, name).is_dir()), None) if root else None


def _clone(name: str, origin: Repository, folder: Path, record: PublicSet) -> None:
    """Fetch exactly one commit, verify it, and keep its tree without the history."""
    if not re.fullmatch(r"[0-9a-f]{40}", origin.commit):
        raise ValueError(f"the commit of {name} must be 40 hex digits, got {origin.commit!r}")
    url = _address(name, origin, record)
    if shutil.which("git") is None:
        raise FetchError(
            f"the set {name!r} is fetched with git, which is not installed; install git, or set ZOO_DATA to a folder that has it"
        )

    def fill(part: Path) -> None:
        _git(name, url, part, "init", "--quiet")
        _git(name, url, part, "fetch", "--quiet", "--depth=1", "--no-tags", url, origin.commit, seconds=3600)
        found = _git(name, url, part, "rev-parse", "FETCH_HEAD^{commit}").strip()
        if found != origin.commit:
            raise FetchError(f"{url} answered with commit {found} instead of {origin.commit}; nothing was kept")
        _git(name, url, part, "fsck", "--full", "--no-dangling", "--no-progress", seconds=600)
        _git(name, url, part, "checkout", "--quiet", "--detach", origin.commit, seconds=600)
        shutil.rmtree(part / ".git")

    whole(folder, fill)


def _address(name: str, origin: Repository, record: PublicSet) -> str:
    """The mirror's copy HOST/OWNER/REPOSITORY[.git] when there is one, else the network if it is allowed."""
    from zoo.download import offline

    mirror, parts = os.environ.get("ZOO_MIRROR", ""), urlsplit(origin.url)
    if mirror and "://" not in mirror:
        for copy in (Path(mirror, parts.netloc + parts.path), Path(mirror, f"{parts.netloc}{parts.path}.git")):
            if copy.is_dir():
                return copy.resolve().as_uri()
    elif mirror:
        return f"{mirror.rstrip('/')}/{parts.netloc}{parts.path}"
    if offline():
        raise FetchError(
            f"ZOO_OFFLINE forbids the network and the set {name!r} is not here yet. Set ZOO_DATA to a folder that holds it as "
            f"{record.local[0] if record.local else name}/, or fetch {origin.url} once with the network"
        )
    return origin.url


def _git(name: str, url: str, folder: Path, *arguments: str, seconds: float = 60) -> str:
    """Run git without questions, hooks, filters or links, and kill it with its children when it takes too long."""
    settings = (
        "core.hooksPath=/dev/null",
        "core.symlinks=false",
        "core.autocrlf=false",
        "http.lowSpeedLimit=1000",
        "http.lowSpeedTime=60",
        "advice.detachedHead=false",
    )
    command = ["git", *(word for setting in settings for word in ("-c", setting)), *arguments]
    # a calling hook sets these, and they would lead git into another repository
    foreign = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE")
    inherited = {key: value for key, value in os.environ.items() if key not in foreign}
    environment = {**inherited, "GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, text=True, errors="replace", start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        output, errors = process.communicate(timeout=seconds)
    except BaseException as error:
        _kill(process)
        if isinstance(error, subprocess.TimeoutExpired):
            raise FetchError(
                f"fetching the set {name!r} from {url} took more than {seconds:g} s and was stopped; try again later"
            ) from error
        raise
    if process.returncode:
        said = " ".join(errors.split())[-300:]
        raise FetchError(
            f"the set {name!r} cannot be fetched from {url}: git {arguments[0]} says: {said}. "
            "Without a network, set ZOO_DATA to a folder that holds the set, or use scenes"
        )
    return output


def _kill(process: subprocess.Popen) -> None:
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:  # pragma: no cover
        process.kill()
    process.communicate()
