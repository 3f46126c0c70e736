"""One process at a time trains in a run folder.

The lock is the operating system's (`flock`), so it ends with the process that holds it, however that dies: there is no stale lock to
clear by hand after a kill. The file's content, which process holds it and where, is for the message only.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class Locked(RuntimeError):
    """Another process is training in this run folder."""


@contextlib.contextmanager
def held(folder: Path, wanted: bool = True) -> Iterator[None]:
    """Hold `folder/training.lock` inside the block, if `wanted`. Raises Locked, naming the process, when another one does.

    Where the file system has no locks, a warning says that nobody watches.
    """
    if fcntl is None or not wanted:
        yield
        return
    path = Path(folder) / "training.lock"
    handle = _acquire(path)
    try:
        yield
    finally:
        if handle is not None:
            path.unlink(missing_ok=True)  # while it is still ours, so that no other's file is removed
            os.close(handle)


def _acquire(path: Path) -> int | None:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise Locked(_said(path)) from error
        except OSError as error:
            os.close(handle)
            path.unlink(missing_ok=True)
            warnings.warn(f"{path.parent} cannot be locked ({error}); do not train in it twice at once", RuntimeWarning, stacklevel=4)
            return None
        if _is(handle, path):
            with contextlib.suppress(OSError):  # on a full disk the message is poorer, the lock is as good
                os.truncate(handle, 0)
                os.write(handle, json.dumps({"process": os.getpid(), "machine": socket.gethostname()}).encode())
            return handle
        os.close(handle)  # whoever held it has removed the file meanwhile: lock the new one


def _is(handle: int, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), os.stat(path))
    return False


def _said(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        who = f"process {holder['process']} on {holder['machine']}"
    except (OSError, ValueError, KeyError):
        who = "another process"
    return f"{who} is training in {path.parent}. Wait for it, stop it, or use a new run folder; the lock ends with that process"
