"""A disk that fills up at any step of any write, and files that are torn: the last good checkpoint is found."""

import dataclasses
import errno
import os
import random
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.train.nets import colours, net
from zoo import atomic
from zoo.train import checkpoint, fit
from zoo.train.fit import OutOfMemory
from zoo.train.guard import fitting_batch

DATA = (colours(), colours(12, seed=1))
ARRAYS = {"a": np.arange(1000, dtype="float32")}
ROOT = Path(__file__).parents[2]


def _build(recipe):
    with recipe.building():
        return net()


def _full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _full_in_rust(*_, **__):
    raise checkpoint.SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize(
    ("where", "name", "fault"),
    [
        (atomic.tempfile, "mkstemp", _full),
        (checkpoint, "save_file", _full),
        (checkpoint, "save_file", _full_in_rust),
        (atomic.os, "fsync", _full),
        (atomic.os, "replace", _full),
    ],
)
def test_no_space_at_any_step_of_a_save_leaves_the_one_before(tmp_path, monkeypatch, where, name, fault):
    folder = checkpoint.Checkpoints(tmp_path)
    folder.save_last(1, ARRAYS, {})
    with monkeypatch.context() as patch:
        patch.setattr(where, name, fault)
        with pytest.raises(checkpoint.DiskFull, match=r"checkpoint last-00002.safetensors could not be written .*run the same command"):
            folder.save_last(2, ARRAYS, {})
    assert [path.name for path in tmp_path.iterdir()] == ["last-00001.safetensors"]
    assert folder.load_last()[1] == {"epoch": 1}


def test_another_error_of_the_disk_is_not_called_full(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(atomic.os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output error") as error:
        checkpoint.write(tmp_path / "x.safetensors", ARRAYS, {})
    assert not isinstance(error.value, checkpoint.DiskFull)


LIMITED = """
import resource, sys
import numpy as np
from zoo.train import checkpoint
folder = checkpoint.Checkpoints(sys.argv[1])
folder.save_last(1, {"a": np.zeros(1000, "float32")}, {})
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
try:
    folder.save_last(2, {"a": np.zeros(100_000, "float32")}, {})
except checkpoint.DiskFull as error:
    print(error)
"""


@pytest.mark.slow
def test_a_file_that_the_system_does_not_let_grow(tmp_path):
    """Not simulated: the kernel refuses to write past 6000 bytes."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", LIMITED, tmp_path], env=environment, capture_output=True, text=True, timeout=240)
    assert "last-00002.safetensors could not be written" in done.stdout, done.stderr[-2000:]
    assert [path.name for path in tmp_path.iterdir()] == ["last-00001.safetensors"]
    assert checkpoint.Checkpoints(tmp_path).load_last()[1] == {"epoch": 1}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Weights after a training that nothing disturbs, and how many files it replaces."""
    from zoo.run import Run
    from zoo.train import Recipe

    recipe, count, replace = Recipe(epochs=3, batch_size=8, learning_rate=0.01, seed=3), [0], os.replace

    def counted(source, target):
        count[0] += 1
        replace(source, target)

    model = _build(recipe)
    run = Run.open(tmp_path_factory.mktemp("whole"), {}, name="test")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic.os, "replace", counted)
        fit(model, DATA, recipe, run, verbose=0)
    return model.get_weights(), count[0]


@pytest.mark.parametrize("number", [1, 4, pytest.param("all", marks=pytest.mark.slow)])
def test_a_training_goes_on_to_the_bit_after_the_disk_was_full(recipe, start, whole, monkeypatch, number):
    """The number-th file that the training renames does not fit: history, best, last, environment or model."""
    for each in range(1, whole[1] + 1) if number == "all" else [number]:
        left, replace = [each], os.replace

        def limited(source, target, left=left, replace=replace):
            left[0] -= 1
            if not left[0]:
                _full()
            replace(source, target)

        run = start(f"run{each}")
        with monkeypatch.context() as patch:
            patch.setattr(atomic.os, "replace", limited)
            with pytest.raises(OSError, match=r"No space left|Earlier checkpoints are untouched"):
                fit(_build(recipe), DATA, recipe, run, verbose=0)
        resumed = _build(recipe)
        fit(resumed, DATA, recipe, run, verbose=0)
        for ours, wanted in zip(resumed.get_weights(), whole[0], strict=True):
            np.testing.assert_array_equal(ours, wanted, err_msg=f"replace {each}")
        assert run.model.exists()


@pytest.mark.parametrize("seed", range(10))
def test_a_torn_newest_checkpoint_gives_the_one_before(tmp_path, seed):
    """Cut anywhere, or one bit of the numbers flipped."""
    draw = random.Random(seed)
    folder = checkpoint.Checkpoints(tmp_path)
    for epoch in (1, 2):
        folder.save_last(epoch, ARRAYS, {})
    path = tmp_path / "last-00002.safetensors"
    content = bytearray(path.read_bytes())
    if seed % 2:
        del content[draw.randrange(len(content)) :]
    else:
        content[-draw.randrange(1, 4000)] ^= 1 << draw.randrange(8)
    path.write_bytes(content)
    with pytest.warns(RuntimeWarning, match=r"CHECKPOINT DAMAGED: .*last-00002.*going back to the one before"):
        arrays, state = folder.load_last()
    assert state == {"epoch": 1}
    np.testing.assert_array_equal(arrays["a"], ARRAYS["a"])
    assert (tmp_path / "last-00002.damaged").read_bytes() == bytes(content)


def test_a_torn_best_is_said_and_the_last_weights_are_kept(recipe, start):
    recipe = dataclasses.replace(recipe, epochs=1)
    fit(_build(recipe), DATA, recipe, start(), verbose=0)
    (start().checkpoints / "best.safetensors").write_bytes(b"torn")
    model = _build(recipe)
    with pytest.warns(RuntimeWarning, match=r"CHECKPOINT DAMAGED: .*best.safetensors.*holds the weights of epoch 1 instead"):
        fit(model, DATA, recipe, start(), verbose=0)
    stored = checkpoint.read(start().checkpoints / "last-00001.safetensors")[0]
    for ours, wanted in zip(checkpoint.snapshot(model).values(), stored.values(), strict=True):
        np.testing.assert_array_equal(ours, wanted)


@pytest.mark.parametrize(("limit", "size", "wanted"), [(5, 32, 4), (4, 32, 4), (100, 48, 32), (1, 2, 1), (0, 8, None), (9, 1, None)])
def test_the_batch_that_fits_is_found_by_trying(limit, size, wanted):
    tried = []

    def step(number):
        tried.append(number)
        if number > limit:
            raise MemoryError

    assert fitting_batch(step, size) == wanted
    assert all(number & (number - 1) == 0 and number < size for number in tried)


def test_a_trial_that_fails_otherwise_tells_nothing():
    def step(number):
        raise MemoryError if number > 4 else ValueError

    assert fitting_batch(step, 32) is None


def test_out_of_memory_names_a_batch_that_was_tried(recipe, start, monkeypatch):
    """A device with room for two images."""

    class Greedy(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            raise MemoryError("allocation of 1 GiB")

    model = _build(recipe)
    step = model.train_on_batch

    def limited(images, labels):
        if len(images) > 2:
            raise MemoryError
        return step(images, labels)

    monkeypatch.setattr(model, "train_on_batch", limited)
    with pytest.raises(
        OutOfMemory,
        match=r"batch of 8 images .*Try batch_size=2, which was tried and fits, \(with learning_rate=0.0025, or accumulation=4\)",
    ):
        fit(model, DATA, recipe, start(), callbacks=[Greedy()], verbose=0)
