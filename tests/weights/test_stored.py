"""Hostile and broken files are refused before their data is read, with the reason and the file's name."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile

import h5py
import numpy as np
import pytest

from zoo.weights.record import APPLICATIONS_H5, KERAS_H5, TIMM_SAFETENSORS
from zoo.weights.stored import opened

KERNEL = np.arange(12, dtype="float32").reshape(3, 4)


def keras_file(path, change=None, **options):
    """A minimal file as Keras 3 writes it: one dense layer."""
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/dense/vars")
        group.attrs["name"] = "logits"
        group.create_dataset("0", data=KERNEL, **options)
        if change:
            change(file, group)
    return path


def applications_file(path, change=None):
    """A minimal weights-only legacy file: the same layer."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"input", b"fc1"]
        file.create_group("input").attrs["weight_names"] = []
        group = file.create_group("fc1")
        group.attrs["weight_names"] = [b"fc1_W_1:0"]
        group.create_dataset("fc1_W_1:0", data=KERNEL)
        if change:
            change(file, group)
    return path


def names(path):
    with opened(path) as file:
        return file.format, {name: stored.read() for name, stored in file.tensors.items()}


def test_formats_are_found_from_the_content_not_from_the_name(tmp_path):
    from safetensors.numpy import save_file

    save_file({"fc.weight": KERNEL}, tmp_path / "c.pth")
    cases = [(keras_file(tmp_path / "a.bin"), KERAS_H5, "logits/0"), (applications_file(tmp_path / "b"), APPLICATIONS_H5, "fc1/fc1_W_1:0")]
    for path, format, name in [*cases, (tmp_path / "c.pth", TIMM_SAFETENSORS, "fc.weight")]:
        found, tensors = names(path)
        assert (found, list(tensors)) == (format, [name])
        np.testing.assert_array_equal(tensors[name], KERNEL)


def soft(file, group):
    group["1"] = h5py.SoftLink("/layers/dense/vars/0")


def external_link(file, group):
    group["1"] = h5py.ExternalLink("other.h5", "/secret")


def second_name(file, group):
    group["1"] = group["0"]


def cycle(file, group):
    group["again"] = file["layers"]


def virtual(file, group):
    layout = h5py.VirtualLayout(shape=(3,), dtype="float32")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=(3,))
    group.create_virtual_dataset("1", layout)


def external_storage(file, group):
    group.create_dataset("1", shape=(4,), dtype="uint8", external=[("/etc/hostname", 0, 4)])


def strings(file, group):
    group.create_dataset("1", data=np.array([b"x"]))


def texts(file, group):
    group.create_dataset("1", data="text")


def bomb(file, group):
    group.create_dataset("1", shape=(2**28,), dtype="float32", chunks=(2**16,), compression="gzip")


def named_type(file, group):
    file["type"] = np.dtype("f4")


def unnamed(file, group):
    del group.attrs["name"]


def stranger(file, group):
    file.create_dataset("notes", data=KERNEL)


def empty(file, group):
    group.create_dataset("1", dtype="float32", data=h5py.Empty("float32"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (soft, "SoftLink at layers/dense/vars/1"),
        (external_link, "ExternalLink"),
        (second_name, "two names"),
        (cycle, "two names"),
        (virtual, "outside itself"),
        (external_storage, "outside itself"),
        (strings, "plain numbers"),
        (texts, "plain numbers"),
        (bomb, "64 times"),
        (named_type, "Datatype"),
        (unnamed, "does not say the name"),
        (stranger, "does not write"),
        (empty, "plain numbers"),
    ],
)
def test_hostile_hdf5_is_refused(tmp_path, change, message):
    path = keras_file(tmp_path / "a.weights.h5", change)
    with pytest.raises(ValueError, match=message) as error:
        names(path)
    assert str(path) in str(error.value)


def test_a_bomb_costs_no_memory(tmp_path, monkeypatch):
    """Nothing is read from a file that is refused."""
    path = keras_file(tmp_path / "a.weights.h5", bomb)
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda *_: pytest.fail("data was read"))
    with pytest.raises(ValueError, match="64 times"):
        names(path)


def whole_model(file, group):
    file.attrs["model_config"] = "{}"


def unlisted(file, group):
    group.create_dataset("hidden", data=KERNEL)


def listed_only(file, group):
    group.attrs["weight_names"] = [b"fc1_W_1:0", b"fc1_b_1:0"]


@pytest.mark.parametrize(
    ("change", "message"), [(whole_model, "whole model"), (unlisted, "does not name"), (listed_only, "does not hold it")]
)
def test_odd_applications_files_are_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        names(applications_file(tmp_path / "a.h5", change))


def test_long_lists_of_names_are_cut_as_keras_does(tmp_path):
    def change(file, group):
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = [b"input"], [b"fc1"]

    assert list(names(applications_file(tmp_path / "a.h5", change))[1]) == ["fc1/fc1_W_1:0"]


def test_a_whole_legacy_model_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("model_weights")
    with pytest.raises(ValueError, match="whole model"):
        names(tmp_path / "a.h5")


def zipped():
    room = io.BytesIO()
    with zipfile.ZipFile(room, "w") as archive:
        archive.writestr("config.json", "{}")
    return room.getvalue()


def tarred():
    room = io.BytesIO()
    with tarfile.open(fileobj=room, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return room.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"x", "no weight file"),
        (zipped(), "zip archive"),
        (pickle.dumps({"a": 1}), "pickle"),
        (pickle.dumps({"a": 1}, protocol=0), "no weight file"),
        (tarred(), "tar archive"),
        (b"\x1f\x8b" + bytes(30), "gzip"),
        (b"\n<html>", "web page"),
        ((2**40).to_bytes(8, "little") + b"{" + bytes(100), "no weight file"),
        ((20).to_bytes(8, "little") + b'{"a":' + bytes(100), "damaged"),
    ],
)
def test_other_files_are_refused_with_the_reason(tmp_path, content, message):
    path = tmp_path / "model.weights.h5"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        names(path)


def test_folders_and_missing_files(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        names(tmp_path)
    with pytest.raises(FileNotFoundError, match="no weight file"):
        names(tmp_path / "none.h5")


@pytest.mark.parametrize("share", [0, 0.05, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("make", [keras_file, applications_file])
def test_cut_hdf5_is_refused(tmp_path, make, share):
    path = make(tmp_path / "a.h5")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match="a.h5"):
        names(path)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_compressed_floats_of_any_width_are_read(tmp_path, dtype):
    path = keras_file(tmp_path / "a.h5", dtype=dtype, compression="gzip", shuffle=True, fletcher32=True)
    found = names(path)[1]["logits/0"]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, KERNEL)


def whole_file(path, change=None):
    """A minimal whole model of Keras 2: the weights in a group of their own, beside a configuration and an optimiser."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"], file.attrs["training_config"] = "{not even JSON", "{"
        file.create_group("optimizer_weights").create_dataset("iter", data=np.int64(3))
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"dense"]
        group = weights.create_group("dense")
        group.attrs["weight_names"] = [b"dense/kernel:0"]
        group.create_dataset("dense/kernel:0", data=KERNEL)
        if change:
            change(file, group)
    return path


def test_of_a_published_whole_model_only_the_weights_are_read(tmp_path):
    path = whole_file(tmp_path / "a.h5")
    with pytest.raises(ValueError, match="whole model"):
        names(path)
    with opened(path, whole_model=True) as file:
        assert (file.format, list(file.tensors)) == (APPLICATIONS_H5, ["dense/dense/kernel:0"])
        np.testing.assert_array_equal(file.tensors["dense/dense/kernel:0"].read(), KERNEL)


def outside(file, group):
    file["optimizer_weights/more"] = h5py.ExternalLink("other.h5", "/secret")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (outside, "ExternalLink"),
        (unlisted, "does not name"),
        (lambda file, group: file.create_dataset("bomb", shape=(2**28,), dtype="float32", chunks=(2**16,), compression="gzip"), "64 times"),
        (lambda file, group: file.__delitem__("model_weights"), "no whole model"),
    ],
)
def test_hostile_whole_models_are_refused(tmp_path, change, message):
    path = whole_file(tmp_path / "a.h5", change)
    with pytest.raises(ValueError, match=message) as error, opened(path, whole_model=True):
        pass
    assert str(path) in str(error.value)


def test_a_whole_model_is_hdf5(tmp_path):
    from safetensors.numpy import save_file

    save_file({"fc.weight": KERNEL}, tmp_path / "a.h5")
    with pytest.raises(ValueError, match="no HDF5 file"), opened(tmp_path / "a.h5", whole_model=True):
        pass
