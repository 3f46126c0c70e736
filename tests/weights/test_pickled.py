"""State dicts of torch.save are read as data; whatever else a pickle can ask for is refused by name, and nothing is ever run."""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import zoo
from tests import references
from zoo import registry
from zoo.weights import foreign, pickled
from zoo.weights.record import TORCH_PICKLE
from zoo.weights.stored import opened
from zoo.weights.tree import tree

VALUES = np.arange(24, dtype="<f4")

# --- a writer of both layouts, instruction by instruction


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def several(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def entries(**values: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in values.items()) + b"u"


def storage(key="0", kind="FloatStorage", count=24, extra=b"") -> bytes:
    return several(text("storage"), name("torch", kind), text(key), text("cpu"), number(count), *([extra] if extra else [])) + b"Q"


def tensor(shape=(4, 6), strides=(6, 1), offset=0, held=None) -> bytes:
    sides = (several(*map(number, numbers)) for numbers in (shape, strides))
    hooks = name("collections", "OrderedDict") + b")R"
    return name("torch._utils", "_rebuild_tensor_v2") + several(held or storage(), number(offset), *sides, b"\x89", hooks) + b"R"


def old(path, content: bytes, storages=None, keys=None, little=True):
    storages = {"0": VALUES} if storages is None else storages
    machine = pickle.dumps({"protocol_version": 1001, "little_endian": little, "type_sizes": {"int": 4}}, 2)
    listed = pickle.dumps(list(storages) if keys is None else keys, 2)
    data = b"".join(len(value).to_bytes(8, "little") + value.tobytes() for value in storages.values())
    path.write_bytes(pickled.MAGIC + pickle.dumps(1001, 2) + machine + b"\x80\x02" + content + b"." + listed + data)
    return path


def zipped(path, content: bytes, storages=None, members=(), packed=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", packed) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + content + b".")
        for key, value in ({"0": VALUES} if storages is None else storages).items():
            archive.writestr(f"archive/data/{key}", value.tobytes())
        for member, value in members:
            archive.writestr(f"archive/{member}", value)
    return path


LAYOUTS = pytest.mark.parametrize("write", [old, zipped])


def read(path):
    with opened(path) as file:
        assert file.format == TORCH_PICKLE
        return {key: stored.read() for key, stored in file.tensors.items()}


# --- what is read


@LAYOUTS
@pytest.mark.parametrize("content", [entries, lambda **values: entries(epoch=number(3), state_dict=entries(**values), best=b"N")])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_state_dict_alone_or_in_a_checkpoint(tmp_path, write, content, prefix):
    path = write(tmp_path / "a.bin", content(**{f"{prefix}fc.weight": tensor(), f"{prefix}fc.bias": tensor((6,), (1,), 18)}))
    found = read(path)
    assert list(found) == ["fc.weight", "fc.bias"]
    np.testing.assert_array_equal(found["fc.weight"], VALUES.reshape(4, 6))
    np.testing.assert_array_equal(found["fc.bias"], VALUES[18:])


@LAYOUTS
def test_views_of_one_storage(tmp_path, write):
    """Transposed, every second column, one number, none, and a side of one whose stride means nothing."""
    views = {
        "t": ((6, 4), (1, 6), 0),
        "half": ((4, 3), (6, 2), 1),
        "one": ((), (), 7),
        "none": ((0, 5), (5, 1), 0),
        "unit": ((1, 3), (99, 1), 2),
    }
    found = read(write(tmp_path / "a", entries(**{key: tensor(*view) for key, view in views.items()})))
    square = VALUES.reshape(4, 6)
    wanted = {"t": square.T, "half": square[:, 1::2], "one": np.float32(7), "none": np.zeros((0, 5)), "unit": VALUES[None, 2:5]}
    for key, value in wanted.items():
        np.testing.assert_array_equal(found[key], value)
        assert found[key].flags.writeable
    assert found["one"].shape == ()


@LAYOUTS
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("Double", "f8"), ("Half", "f2"), ("Long", "i8"), ("Int", "i4"), ("Short", "i2"), ("Char", "i1"), ("Byte", "u1"), ("Bool", "b1")],
)
def test_every_type(tmp_path, write, kind, dtype):
    values = (np.arange(24) % 2).astype(dtype)
    found = read(write(tmp_path / "a", entries(w=tensor(held=storage(kind=f"{kind}Storage"))), {"0": values}))["w"]
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, values.reshape(4, 6))


@LAYOUTS
def test_bfloat16_is_widened_without_loss(tmp_path, write):
    """1, -2 and 3.140625 as their upper sixteen bits."""
    path = write(
        tmp_path / "a",
        entries(w=tensor((3,), (1,), held=storage(kind="BFloat16Storage", count=3))),
        {"0": np.array([0x3F80, 0xC000, 0x4049], "<u2")},
    )
    found = read(path)["w"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [1, -2, 3.140625])


def test_nothing_is_read_before_it_is_asked_for(tmp_path):
    """The numbers of an archive are damaged: listing works, reading names the file."""
    path = zipped(tmp_path / "a.pth", entries(w=tensor()))
    content = bytearray(path.read_bytes())
    content[content.index(VALUES.tobytes()) + 9] ^= 1
    path.write_bytes(content)
    with opened(path) as file:
        assert file.tensors["w"].shape == (4, 6)
        with pytest.raises(ValueError, match=r"a\.pth cannot be read.*Bad CRC"):
            file.tensors["w"].read()


@pytest.mark.backend
def test_the_same_model_from_safetensors_and_from_a_pickle(tmp_path):
    row = "resnet_bottleneck_micro"
    model = registry.build_classifier(row)
    state = {}
    for ours, (theirs, *_) in foreign.table("resnet", registry.row(row)[1], TORCH_PICKLE).items():
        for path, variable in tree(model).items():
            layer, _, weight = path.rpartition("/")
            if layer == ours:
                value = keras.ops.convert_to_numpy(variable.value)
                kind = {
                    "gamma": "weight",
                    "beta": "bias",
                    "moving_mean": "running_mean",
                    "moving_variance": "running_var",
                    "kernel": "weight",
                }
                state[f"{theirs}.{kind.get(weight, weight)}"] = np.ascontiguousarray(
                    np.transpose(value, {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[value.ndim])
                )
    save_file(state, tmp_path / "a.safetensors")
    storages = {str(index): value.ravel() for index, value in enumerate(state.values())}
    content = {}
    for index, (key, value) in enumerate(state.items()):
        strides = tuple(stride // 4 for stride in value.strides)
        content[f"module.{key}"] = tensor(value.shape, strides, held=storage(str(index), count=value.size))
    old(tmp_path / "a.th", entries(**content), storages)
    for left, right in zip(
        *(zoo.classifier(row, weights=tmp_path / file).get_weights() for file in ("a.safetensors", "a.th")), strict=True
    ):
        np.testing.assert_array_equal(left, right)


WRITER = """
import sys, torch
from collections import OrderedDict
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
state = model.state_dict()
state["half"], state["wide"] = torch.randn(5).half(), torch.randn(2, 3).bfloat16()
state["view"], state["parameter"] = torch.arange(12.0).reshape(3, 4).T[1:], torch.nn.Parameter(torch.ones(2))
import numpy
numpy.savez(sys.argv[1] + "/wanted.npz", **{name: value.detach().float().numpy() for name, value in state.items()})
checkpoint = {"epoch": 3, "state_dict": OrderedDict(("module." + name, value) for name, value in state.items())}
for zipped in (True, False):
    for name, content in (("plain", state), ("checkpoint", checkpoint), ("model", model)):
        torch.save(content, f"{sys.argv[1]}/{name}_{zipped}", _use_new_zipfile_serialization=zipped)
torch.jit.script(model).save(sys.argv[1] + "/script")
"""


@pytest.fixture(scope="module")
def torch_files(tmp_path_factory):
    references.require("torch")
    folder = tmp_path_factory.mktemp("torch")
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", WRITER, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("content", ["plain", "checkpoint"])
def test_files_of_torch_itself(torch_files, content, zipped):
    found = read(torch_files / f"{content}_{zipped}")
    with np.load(torch_files / "wanted.npz", allow_pickle=False) as wanted:
        assert list(found) == list(wanted)
        for key, value in wanted.items():
            np.testing.assert_array_equal(found[key], value)
    assert found["half"].dtype == np.float16


@pytest.mark.parametrize(
    ("file", "message"), [("model_True", "torch.nn.modules"), ("model_False", "torch.nn.modules"), ("script", "TorchScript|zip archive")]
)
def test_whole_models_of_torch_are_refused(torch_files, file, message):
    with pytest.raises(ValueError, match=message) as error:
        read(torch_files / file)
    assert str(torch_files / file) in str(error.value)


# --- what is refused


class Call:
    """Unpickles as function(*arguments)."""

    def __init__(self, function, *arguments):
        self.parts = function, arguments

    def __reduce__(self):
        return self.parts


def evil(value) -> bytes:
    """The instructions of a pickle, without its header and its stop."""
    return pickle.dumps(value, 2)[2:-1]


HOSTILE = {
    "system": (evil(Call(os.system, "touch HERE")), "posix.system|nt.system"),
    "eval": (evil(Call(eval, "1 + 1")), "eval"),
    "getattr": (
        name("__builtin__", "getattr") + several(text("a"), text("b")) + b"R",
        "getattr",
    ),
    "import": (name("importlib", "import_module") + several(text("os")) + b"R", "importlib.import_module"),
    "torch load": (name("torch", "load") + several(text("b.pth")) + b"R", "torch.load"),
    "numpy": (evil({"w": np.zeros(2)}), "numpy"),
    "dotted": (name("torch._utils", "_rebuild_tensor_v2.__globals__"), "__globals__"),
    "space": (name("torch", "x load"), "torch.x.load"),
    "object": (name("torch", "FloatStorage") + b")\x81", "NEWOBJ"),
    "instance": (b"(ios\nsystem\n", "INST"),
    "extension": (b"\x82\x01", "EXT1"),
    "persistent text": (b"P0\n", "PERSID"),
    "called storage": (name("torch", "FloatStorage") + b")R", "not to be called"),
    "called text": (text("os.system") + several(text("ls")) + b"R", "not to be called"),
    "called with more": (name("torch", "Size") + several(several(), several()) + b"R", "not to be called"),
    "state of a tensor": (tensor() + b"}b", "no state dict"),
    "state with code": (name("collections", "OrderedDict") + b")R" + evil(Call(eval, "1")) + b"b", "eval"),
    "protocol 4": (b"\x80\x04}", "PROTO"),
    "frame": (b"\x95" + bytes(8) + b"}", "FRAME"),
    "another kind of storage": (
        entries(w=tensor(held=several(text("module"), name("torch", "FloatStorage"), text("0"), text("cpu"), number(24)) + b"Q")),
        "odd storage",
    ),
    "view of a storage": (entries(w=tensor(held=storage(extra=several(text("1"), number(0), number(4))))), "odd storage"),
    "two descriptions": (entries(v=tensor(), w=tensor(held=storage(count=12))), "in two ways"),
    "negative count": (entries(w=tensor(held=storage(count=-1))), "odd storage"),
    "no state dict": (number(1), "no state dict"),
    "empty": (b"}", "no state dict"),
    "number in it": (entries(w=tensor(), lr=number(1)), "'lr' is no tensor"),
    "nameless": (b"}(" + number(1) + tensor() + b"u", "'1' is no tensor"),
    "escape in a name": (entries(**{"w\x1b[2J": tensor()}), "is no tensor with a name"),
    "tuple as key": (b"}(" + several(number(1)) + tensor() + b"u", "neither texts"),
    "nine sides": (entries(w=tensor((1,) * 9, (1,) * 9)), "odd shape"),
    "negative side": (entries(w=tensor((-1, 4), (4, 1))), "odd shape"),
    "negative stride": (entries(w=tensor((4,), (-1,), 8)), "odd shape"),
    "negative offset": (entries(w=tensor((4,), (1,), -4)), "odd tensor"),
    "truth as a side": (entries(w=tensor()).replace(number(4), b"\x88", 1), "odd shape"),
    "fewer strides": (entries(w=tensor((4, 6), (1,))), "odd tensor"),
    "offset too large": (entries(w=tensor(offset=1)), "beyond the 24 numbers"),
    "stride too large": (entries(w=tensor((4, 6), (7, 1))), "beyond the 24 numbers"),
    "repeated for ever": (entries(w=tensor((2**31 - 1,) * 4, (0,) * 4)), "beyond the 24 numbers"),
    "too many views": (entries(**{f"w{index}": tensor() for index in range(500)}), "4 times"),
}


@LAYOUTS
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_programs_are_refused(tmp_path, monkeypatch, write, case):
    content, message = HOSTILE[case]
    monkeypatch.chdir(tmp_path)
    storages = {} if b"torch" not in content else None
    if case == "too many views":  # every name and view costs instructions, so the numbers must be many
        storages, content = {"0": np.zeros(4000, "<f4")}, content.replace(number(24), number(4000)).replace(number(4), number(600))
    path = write(tmp_path / "a.pth", content, storages)
    with pytest.raises(ValueError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)
    assert os.listdir(tmp_path) == ["a.pth"]


DAMAGED = {
    "empty stack": b"R",
    "taken below a mark": number(1) + b"(\x85",
    "no mark": b"t",
    "nothing kept": b"h\x07",
    "nothing left": b"",
    "two left": b"NN",
    "odd entries": b"}(" + text("a") + b"u",
    "entries of a list": b"](" + text("a") + b"Nu",
    "text cut short": b"X\xff\xff\xff\x7fabc",
    "broken text": b"X\x01\x00\x00\x00\xff",
}


@LAYOUTS
@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_programs_name_the_file(tmp_path, write, case):
    with pytest.raises(ValueError, match=r"a\.pth"):
        read(write(tmp_path / "a.pth", DAMAGED[case]))


@LAYOUTS
def test_deep_nesting_and_sharing_cost_nothing(tmp_path, write):
    """A hundred thousand tuples inside each other, and a tree of 2^100 leaves: neither is walked."""
    deep = entries(w=tensor(), deep=b")" + b"\x85" * 100_000)
    wide = entries(w=tensor(), wide=b")" + b"q\x00h\x00\x86" * 100)
    for content in (deep, wide):
        with pytest.raises(ValueError, match="is no tensor"):
            read(write(tmp_path / "a", content))
        found = read(write(tmp_path / "a", entries(state_dict=entries(w=tensor()), rest=content)))
        assert list(found) == ["w"]


@LAYOUTS
def test_a_long_program_is_not_run(tmp_path, write):
    with pytest.raises(ValueError, match="damaged|longer"):
        read(write(tmp_path / "a", b"N" * (5 << 20)))


def test_a_dict_inside_itself(tmp_path):
    with pytest.raises(ValueError, match="'me' is no tensor"):
        read(old(tmp_path / "a", b"}q\x00" + text("me") + b"h\x00s", {}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keys": ["0", "0"]}, "not that of its tensors"),
        ({"keys": ["0", "1"]}, "not that of its tensors"),
        ({"keys": []}, "storage of w is missing"),
        ({"keys": [["0"]]}, "not that of its tensors"),
        ({"storages": {"0": VALUES[:20]}}, "not that of its tensors"),
        ({"little": False}, "big-endian"),
    ],
)
def test_odd_old_files(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        read(old(tmp_path / "a", entries(w=tensor()), **options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"storages": {}}, "missing, or not as long"),
        ({"storages": {"0": VALUES[:20]}}, "missing, or not as long"),
        ({"packed": zipfile.ZIP_DEFLATED}, "compressed"),
        ({"members": [("code/__torch__.py", b"x")]}, "TorchScript"),
        ({"members": [("byteorder", b"big")]}, "big-endian"),
    ],
)
def test_odd_archives(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        read(zipped(tmp_path / "a", entries(w=tensor()), **options))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_named_twice(tmp_path):
    with pytest.raises(ValueError, match="twice"):
        read(zipped(tmp_path / "a", entries(w=tensor()), members=[("data/0", VALUES.tobytes())]))


def test_a_key_is_no_path(tmp_path):
    """It is looked up among the members of the archive, never on the disk."""
    (tmp_path / "secret").write_bytes(VALUES.tobytes())
    path = zipped(tmp_path / "a", entries(w=tensor(held=storage(key="../../secret"))))
    with pytest.raises(ValueError, match="missing"):
        read(path)


def test_other_archives_stay_refused(tmp_path):
    np.savez(tmp_path / "a.npz", data=VALUES)
    with pytest.raises(ValueError, match=r"zip archive \(.keras and npz"):
        read(tmp_path / "a.npz")
    registry.build_classifier("small_cnn_micro").save(tmp_path / "a.keras")
    with pytest.raises(ValueError, match=r"zip archive \(.keras and npz"):
        read(tmp_path / "a.keras")


GOOD = {}


@pytest.fixture(scope="module", autouse=True)
def _good_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    for write in (old, zipped):
        GOOD[write.__name__] = write(folder / write.__name__, entries(state_dict=entries(a=tensor(), b=tensor((6,), (1,), 3)))).read_bytes()
    GOOD["path"] = folder / "changed"


def _read_or_refuse(content: bytes):
    GOOD["path"].write_bytes(content)
    try:
        return read(GOOD["path"])
    except ValueError as error:
        if str(GOOD["path"]) not in str(error):
            raise
        return None


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["old", "zipped"]), st.floats(0, 1, exclude_max=True))
def test_every_truncation_is_refused(layout, share):
    good = GOOD[layout]
    assert _read_or_refuse(good[: int(len(good) * share)]) is None


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(["old", "zipped"]), st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4)
)
def test_flipped_bytes_are_read_or_refused_by_name(layout, changes):
    """Nothing but ValueError with the file's name; what is still read has no more numbers than the file has bytes."""
    content = bytearray(GOOD[layout])
    for share, value in changes:
        content[int(len(content) * share)] = value
    found = _read_or_refuse(bytes(content))
    assert found is None or sum(value.nbytes for value in found.values()) <= 4 * len(content)


def test_no_pickle_module_is_used():
    """The reader has no way to run a pickle: it never imports the module that could."""
    with open(pickled.__file__, encoding="utf-8") as file:
        lines = [line for line in file if "import" in line.split()[:1] or line.startswith("from")]
    assert any("pickletools" in line for line in lines)
    assert not any(line.split()[1] in ("pickle", "torch") for line in lines)
