"""Our archive: whatever happens to the file, it is the written weights or a refusal, never something else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from zoo.weights import archive
from zoo.weights.stored import opened

FACTS = {"architecture": "net", "mean": [1.5, 2.0, 3.25], "std": [1.0, 1.0, 1.0], "classes": 2}


def write(path):
    random = np.random.default_rng(0)
    tensors = {
        "conv/kernel": random.normal(size=(3, 3, 3, 4)).astype("float32"),
        "logits/bias": np.zeros(2, "float32"),
        "step": np.int32(7),
    }
    archive.write(path, {name: np.asarray(value) for name, value in tensors.items()}, FACTS)
    return tensors


def read(path):
    with opened(path) as file:
        return archive.verified(file), archive.facts(file)


def test_round_trip(tmp_path):
    tensors = write(tmp_path / "a.safetensors")
    found, facts = read(tmp_path / "a.safetensors")
    assert facts == FACTS
    assert list(found) == sorted(tensors)
    for name, value in tensors.items():
        np.testing.assert_array_equal(found[name], value)


def test_any_flipped_bit_is_refused(tmp_path):
    """Every seventh bit of the header, so every byte in turn and every position in it, and 200 seeded ones of the data."""
    path = tmp_path / "a.safetensors"
    write(path)
    good = bytearray(path.read_bytes())
    header = 8 + int.from_bytes(good[:8], "little")
    random = np.random.default_rng(1)
    bits = [(byte, bit) for byte in range(header) for bit in range(8)][::7]
    bits += [(int(random.integers(header, len(good))), int(random.integers(8))) for _ in range(200)]
    passed = []
    for byte, bit in bits:
        good[byte] ^= 1 << bit
        path.write_bytes(good)
        good[byte] ^= 1 << bit
        try:
            read(path)
        except ValueError:
            continue
        passed.append((byte, bit))
    assert passed == []


@pytest.mark.parametrize("share", [0, 0.001, 0.05, 0.5, 0.9, 0.999])
def test_a_cut_file_is_refused(tmp_path, share):
    path = tmp_path / "a.safetensors"
    write(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match="a.safetensors"):
        read(path)


def test_appended_bytes_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    write(path)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ValueError, match="damaged"):
        read(path)


@pytest.mark.parametrize("change", ["facts", "tree", "digest", "value", "name"])
def test_edited_archives_are_refused(tmp_path, change):
    """Not an accident but a well-formed file with one thing changed and the old digest kept."""
    from safetensors.numpy import save_file

    path = tmp_path / "a.safetensors"
    write(path)
    with opened(path) as file:
        tensors, metadata = {name: stored.read() for name, stored in file.tensors.items()}, dict(file.metadata)
    if change == "facts":
        metadata["facts"] = json.dumps({**FACTS, "mean": [0, 0, 0]})
    elif change == "tree":
        metadata["tree"] = "{}"
    elif change == "digest":
        metadata["digest"] = "sha256:" + "0" * 64
    elif change == "value":
        tensors["conv/kernel"][0, 0, 0, 0] += 1
    else:
        tensors["conv/kernel2"] = tensors.pop("conv/kernel")
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(ValueError, match="damaged"):
        read(path)


def test_a_newer_layout_says_to_update(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(1, "float32")}, tmp_path / "a.safetensors", metadata={"zoo": "99"})
    with opened(tmp_path / "a.safetensors") as file, pytest.raises(ValueError, match="update zoo"):
        archive.facts(file)


def test_writing_is_atomic(tmp_path, monkeypatch):
    import safetensors.numpy

    path = tmp_path / "a.safetensors"
    write(path)
    before = path.read_bytes()

    def broken(tensors, filename, metadata):
        filename.write_bytes(b"half")
        raise OSError("no space")

    monkeypatch.setattr(safetensors.numpy, "save_file", broken)
    with pytest.raises(OSError, match="no space"):
        write(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]
