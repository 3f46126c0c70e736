"""Checkpoint files: every damage is seen, nothing is half written or half loaded."""

import json
import struct

import keras
import numpy as np
import pytest
from keras import layers

from tests.train.nets import net
from zoo.train import checkpoint

ARRAYS = {
    "a": np.arange(6, dtype="float32").reshape(2, 3),
    "b": np.array(7, "int64"),
    "c": np.array([1, 2], "uint32"),
    "d": np.empty((0, 3), "float32"),
}
STATE = {"rows": [{"epoch": 1, "loss": float("inf"), "val_loss": 0.1 + 0.2}], "finished": False}


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "x.safetensors"
    checkpoint.write(path, ARRAYS, STATE)
    arrays, state = checkpoint.read(path)
    assert state == STATE
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].shape == array.shape
        np.testing.assert_array_equal(arrays[name], array)
    assert [each.name for each in tmp_path.iterdir()] == ["x.safetensors"]


def test_every_flipped_bit_is_seen(tmp_path):
    """All bytes of the file, one flipped bit each: refused, or (white space of the header) exactly the same content."""
    path = tmp_path / "x.safetensors"
    checkpoint.write(path, ARRAYS, STATE)
    sound = path.read_bytes()
    payload = 8 + struct.unpack("<Q", sound[:8])[0]
    for position in range(len(sound)):
        damaged = bytearray(sound)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        try:
            arrays, state = checkpoint.read(path)
        except checkpoint.Damaged as error:
            assert "x.safetensors" in str(error)  # noqa: PT017  one message per byte
            continue
        assert position < payload
        assert state == STATE
        assert checkpoint.digest(arrays, "") == checkpoint.digest(ARRAYS, "")


@pytest.mark.parametrize("content", [b"", b"half", b"<html>404</html>", b"\xff" * 64, b"PK\x03\x04" + b"\0" * 50])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(checkpoint.Damaged, match=r"x\.safetensors cannot be read"):
        checkpoint.read(path)


def test_truncation_and_foreign_safetensors_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    checkpoint.write(path, ARRAYS, STATE)
    sound = path.read_bytes()
    for cut in (7, len(sound) // 2, len(sound) - 1):
        path.write_bytes(sound[:cut])
        with pytest.raises(checkpoint.Damaged):
            checkpoint.read(path)
    header = json.dumps({}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(checkpoint.Damaged, match="not a checkpoint of this zoo"):
        checkpoint.read(path)


def test_the_newest_two_are_kept(tmp_path):
    folder = checkpoint.Checkpoints(tmp_path)
    assert folder.load_last() is None
    for epoch in (0, 1, 2, 99_999, 100_000):
        folder.save_last(epoch, ARRAYS, {})
    assert [path.name for path in folder.lasts()] == ["last-100000.safetensors", "last-99999.safetensors"]
    assert folder.load_last()[1] == {"epoch": 100_000}


def test_all_damaged_raises_and_keeps_the_files(tmp_path):
    folder = checkpoint.Checkpoints(tmp_path)
    for epoch in (1, 2):
        folder.save_last(epoch, ARRAYS, {})
        (tmp_path / f"last-0000{epoch}.safetensors").write_bytes(b"broken")
    with pytest.warns(RuntimeWarning, match="DAMAGED"), pytest.raises(checkpoint.Damaged, match="no checkpoint in .* can be read any more"):
        folder.load_last()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last-00001.damaged", "last-00002.damaged"]


@pytest.mark.backend
def test_a_snapshot_holds_the_seeds_and_is_put_back_to_the_bit():
    model = net()
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    before = checkpoint.snapshot(model)
    assert sum("seed_generator" in name for name in before) == 2
    x = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype("float32")
    model.fit(x, np.zeros((4, 3), "float32"), epochs=1, verbose=0)
    moved = checkpoint.snapshot(model)
    still = [name for name in before if "seed_generator" in name and np.array_equal(before[name], moved[name])]
    assert len(still) == (1 if keras.backend.backend() == "torch" else 0)  # dropout on torch leaves its own generator alone
    checkpoint.restore(model, before)
    again = checkpoint.snapshot(model)
    for name in before:
        np.testing.assert_array_equal(again[name], before[name], err_msg=name)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: net(classes=4), r"logits/kernel is float32 \(8, 3\), in the file float32 \(8, 4\)"),
        (lambda: net(flip=False), r"wanted 10 variables, the file has 9"),
        (
            lambda: keras.Sequential([keras.Input((10,)), *[layers.Dense(3, use_bias=False, name=f"d{i}") for i in range(10)]]),
            "wanted model/00000/seed_gen.*the file has model/00000/.*d0/kernel",
        ),
    ],
)
def test_another_model_is_refused_before_anything_changes(other, message):
    model = net()
    before = checkpoint.snapshot(model, optimizer=False)
    with pytest.raises(ValueError, match=message):
        checkpoint.restore(model, checkpoint.snapshot(other(), optimizer=False), optimizer=False)
    for name, array in checkpoint.snapshot(model, optimizer=False).items():
        np.testing.assert_array_equal(array, before[name])
