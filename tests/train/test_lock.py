"""One process at a time in a run folder, and a dead one is in nobody's way."""

import json
import os
import signal
import subprocess
import sys
import warnings

import pytest

from tests.train.nets import colours, net
from zoo.train import fit, lock

HOLD = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("lock", {path!r})  # alone: no framework has to start
lock = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lock)
with lock.held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def _holder(folder):
    """A process that holds the lock until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(path=lock.__file__), folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    return process


def test_another_process_is_named_and_its_death_frees_the_folder(tmp_path):
    process = _holder(tmp_path)
    try:
        with pytest.raises(lock.Locked, match=rf"process {process.pid} on .* is training in .*use a new run folder"), lock.held(tmp_path):
            pass
        os.kill(process.pid, signal.SIGKILL)
        process.wait(60)
    finally:
        process.kill()
        process.communicate()
    assert (tmp_path / "training.lock").exists()  # stale
    with lock.held(tmp_path):
        assert json.loads((tmp_path / "training.lock").read_text())["process"] == os.getpid()
    assert not (tmp_path / "training.lock").exists()


def test_it_is_held_until_the_end_of_the_block_and_not_longer(tmp_path):
    with lock.held(tmp_path):
        with pytest.raises(lock.Locked), lock.held(tmp_path):
            pass
        with lock.held(tmp_path, wanted=False):
            pass
    with pytest.raises(KeyError), lock.held(tmp_path):
        raise KeyError
    with lock.held(tmp_path):
        pass


def test_a_lock_without_content_is_a_lock(tmp_path):
    with lock.held(tmp_path):
        (tmp_path / "training.lock").write_text("")
        with pytest.raises(lock.Locked, match="^another process is training in"), lock.held(tmp_path):
            pass


def test_a_file_removed_between_opening_and_locking_is_not_trusted(tmp_path, monkeypatch):
    """The holder removes the file when it ends; whoever waited with the old file open must take the new one."""
    flock, path, calls = lock.fcntl.flock, tmp_path / "training.lock", []

    def late(handle, operation):
        if not calls:
            path.unlink()
        calls.append(handle)
        flock(handle, operation)

    monkeypatch.setattr(lock.fcntl, "flock", late)
    with lock.held(tmp_path):
        assert len(calls) == 2
        assert path.exists()


def test_a_file_system_without_locks_only_warns(tmp_path, monkeypatch):
    def unsupported(handle, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(lock.fcntl, "flock", unsupported)
    with pytest.warns(RuntimeWarning, match="cannot be locked .*do not train in it twice"), lock.held(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_fit_holds_it(recipe, start):
    run = start()
    with recipe.building():
        model = net()
    with lock.held(run.folder), pytest.raises(lock.Locked):
        fit(model, (colours(), colours(12, seed=1)), recipe, run, verbose=0)
    assert not list(run.checkpoints.iterdir())
    with warnings.catch_warnings(record=True) as said:
        fit(model, (colours(), colours(12, seed=1)), recipe, run, verbose=0)
    assert not said
    assert not (run.folder / "training.lock").exists()
