"""Several devices or processes give what one gives, and what an engine cannot do is said before it crashes."""

import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.train import spread
from tests.train.nets import colours, net
from zoo.data.augment import Augment
from zoo.data.dataset import Examples
from zoo.data.pipeline import Pipeline
from zoo.train import Recipe, checkpoint, distribute
from zoo.train.arrays import Arrays, piece
from zoo.train.distribute import Place, cluster

ROOT = Path(__file__).parents[2]
BACKEND = keras.backend.backend()
SINGLE_HOST = {"tensorflow": "mirrored", "jax": "data_parallel"}
SECONDS = 120


# Processes


def _start(kind, folder, environment=None, kill=0):
    variables = {**os.environ, "KERAS_BACKEND": BACKEND, "PYTHONPATH": str(ROOT), **(environment or {})}
    variables["CUDA_VISIBLE_DEVICES"] = "-1"
    command = [sys.executable, "tests/train/spread.py", kind, str(folder), str(kill)]
    return subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@contextlib.contextmanager
def _workers(folder, kills=(0, 0)):
    """Two processes on this machine that train together; never left behind."""
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in kills]
        for each in taken:
            each.bind(("127.0.0.1", 0))
        addresses = ",".join(f"127.0.0.1:{each.getsockname()[1]}" for each in taken)
    processes = []
    try:
        for index, kill in enumerate(kills):
            environment = {"ZOO_WORKERS": addresses, "ZOO_WORKER": str(index), "XLA_FLAGS": ""}
            processes.append(_start("workers", folder, environment, kill))
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdout.close()


def _ended(process):
    said = process.communicate(timeout=SECONDS)[0].decode()
    assert process.returncode == 0, said[-3000:]


def _weights(folder, index=0):
    with np.load(folder / f"weights-{index}.npz") as file:
        return [file[name] for name in file.files]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """[rows, weights ...] of one process with the global batch."""
    model, history = spread.train(tmp_path_factory.mktemp("alone"))
    rows = np.array([[row[name] for name in ("loss", "accuracy", "val_loss", "val_accuracy")] for row in history.rows])
    return [rows, *(checkpoint.value_of(variable) for variable in model.variables)]


def _close(got, wanted):
    """Sums in another order differ in the last bits; Adam divides small gradients by small numbers, hence not relative."""
    assert len(got) == len(wanted)
    for ours, theirs in zip(got, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.backend
@pytest.mark.skipif(BACKEND == "torch", reason="Keras has no distribution on torch; test_torch_says_what_to_do covers it")
class TestProcesses:
    """13 validation images do not divide by 2 devices, and none is left out."""

    def test_two_processes_give_what_one_gives(self, tmp_path, alone):
        with _workers(tmp_path) as processes:
            for process in processes:
                _ended(process)
        _close(_weights(tmp_path, 0), alone)
        for ours, theirs in zip(_weights(tmp_path, 0), _weights(tmp_path, 1), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        kept = {path.name for path in (tmp_path / "checkpoints").iterdir()}
        assert kept == {"last-00002.safetensors", "last-00003.safetensors", "best.safetensors"}

    @pytest.mark.slow
    def test_the_job_of_a_killed_worker_resumes(self, tmp_path, alone):
        with _workers(tmp_path, kills=(0, 6)) as processes:
            processes[1].communicate(timeout=SECONDS)
            assert processes[1].returncode == -signal.SIGKILL
        assert (tmp_path / "checkpoints" / "last-00001.safetensors").exists()
        assert not (tmp_path / "checkpoints" / "last-00002.safetensors").exists()
        with _workers(tmp_path) as processes:
            for process in processes:
                _ended(process)
        _close(_weights(tmp_path, 0), alone)

    def test_two_devices_of_one_machine_give_what_one_gives(self, tmp_path, alone):
        process = _start(SINGLE_HOST[BACKEND], tmp_path, {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"})
        try:
            _ended(process)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        _close(_weights(tmp_path), alone)


# One process


@pytest.mark.backend
def test_a_kind_of_another_backend_says_which_to_take():
    wrong = {"tensorflow": "data_parallel", "jax": "mirrored", "torch": "workers"}[BACKEND]
    cure = {"tensorflow": "'mirrored' or 'workers'", "jax": "'data_parallel' or 'workers'", "torch": "set KERAS_BACKEND=jax or tensorflow"}
    with pytest.raises(ValueError, match=f"the backend is {BACKEND}: .*{cure[BACKEND]}"), distribute.scope(wrong):
        pass
    with pytest.raises(ValueError, match="distribute must be one of mirrored, data_parallel, workers or None, got 'horovod'"):
        distribute.scope("horovod").__enter__()
    with distribute.scope(None) as place:
        assert place == Place() == distribute.current()


def test_the_cluster_is_read_from_arguments_and_environment(monkeypatch):
    for name in ("ZOO_WORKERS", "ZOO_WORKER", "TF_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    assert cluster(["a:1", "b:2"], 1) == (["a:1", "b:2"], 1)
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"chief": ["c:1"], "worker": ["d:1", "e:1"]}, "task": {"type": "worker", "index": 1}}')
    assert cluster() == (["c:1", "d:1", "e:1"], 2)
    monkeypatch.setenv("ZOO_WORKERS", "f:1, g:1")
    monkeypatch.setenv("ZOO_WORKER", "0")
    assert cluster() == (["f:1", "g:1"], 0)
    assert cluster(index=1) == (["f:1", "g:1"], 1)


@pytest.mark.parametrize(("addresses", "index"), [(None, None), (["a:1"], None), (["a:1"], 1), (["a:1"], -1), ([], 0)])
def test_a_cluster_that_is_not_known_is_refused(monkeypatch, addresses, index):
    for name in ("ZOO_WORKERS", "ZOO_WORKER", "TF_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match=r"Set, on each, ZOO_WORKERS=host0:port,host1:port and ZOO_WORKER=0"):
        cluster(addresses, index)


def test_what_tensorflow_cannot_do_is_changed_with_a_warning_or_refused():
    place = Place("mirrored", 4)
    recipe = Recipe(batch_size=8, steps_per_execution=16, jit=True)
    with pytest.warns(UserWarning, match="mirrored on TensorFlow: steps_per_execution=1 instead of 16, jit=False instead of True"):
        adapted = place.adapt(recipe)
    assert adapted == dataclasses.replace(recipe, steps_per_execution=1, jit=False)
    assert place.adapt(Recipe(batch_size=8)) == Recipe(batch_size=8)
    with pytest.raises(ValueError, match="batch_size=10 cannot be shared by 4 devices; say batch_size=8"):
        place.adapt(Recipe(batch_size=10))
    assert Place().adapt(recipe) is recipe
    model = net()
    model.compile(keras.optimizers.SGD(gradient_accumulation_steps=4), "mse")
    Place().check(model)
    with pytest.raises(ValueError, match=r"accumulation over 4 steps fails under tf.distribute.*4 devices.*raise batch_size"):
        place.check(model)


def test_a_model_of_another_place_is_refused():
    model = net()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"not built where it is trained; .*`with distribute.scope\('mirrored'\):`"):
        Place("mirrored", 2, engine=object()).check(model)


@pytest.mark.parametrize(("length", "count"), [(0, 2), (1, 2), (8, 2), (9, 4), (3, 5)])
def test_the_pieces_are_the_batch(length, count):
    pieces = [piece(np.arange(length), (index, count)) for index in range(count)]
    np.testing.assert_array_equal(np.concatenate(pieces), np.arange(length))
    assert max(map(len, pieces)) - min(map(len, pieces)) <= 1


@pytest.mark.parametrize("make", [Arrays, lambda images, labels: Pipeline(Examples(list(images), labels), 8, Augment())])
def test_the_processes_share_every_batch_of_one(make):
    """The same images, order and augmentation as in one process, whose batch of 6 is shared by 3."""
    recipe = Recipe(batch_size=6)
    feed = make(*colours(20))
    whole = iter(feed.training(6, 0, 1, drop_remainder=True))
    with pytest.warns(UserWarning, match="workers: 2 of 20 images, drawn anew, are left out of each epoch"):
        shares = [Place("workers", 3, (index, 3)).share(feed, feed, recipe)[0] for index in range(3)]
    streams = [iter(share.training(6, 0, 1)) for share in shares]
    assert [share.steps(6) for share in shares] == [3, 3, 3]
    for _ in range(4):  # into the next epoch
        images, labels = next(whole)
        parts = [next(stream) for stream in streams]
        np.testing.assert_array_equal(np.concatenate([part[0] for part in parts]), images)
        np.testing.assert_array_equal(np.concatenate([part[1] for part in parts]), labels)
    seen = [np.concatenate([np.asarray(labels) for _, labels in feed.evaluation(6, part=(index, 3))]) for index in range(3)]
    assert sorted(np.concatenate(seen)) == sorted(colours(20)[1])


def test_fewer_images_than_a_batch_are_refused():
    with pytest.raises(ValueError, match="20 images do not fill one batch of 32; choose batch_size <= 20"):
        Arrays(*colours(20)).steps(32, drop_remainder=True)
