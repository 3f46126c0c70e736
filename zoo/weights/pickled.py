"""State dicts as torch.save writes them, read as data: without torch, without the pickle module, and nothing in the file is called.

A pickle is a program for a small stack machine. The program of a state dict needs thirty kinds of instruction and a few names,
so this file has a machine of its own that knows these and refuses every other by name: it builds dicts, lists, tuples, numbers,
texts and descriptions of tensors, and has no means of building or calling anything else. Both layouts of torch are read: the zip
archive and, before 2020 (and still for many published files), five programs followed by the numbers.

Sizes are compared with the file before anything is allocated: programs are short, members of the archive are uncompressed and
together no longer than the file, and a tensor has no more numbers than its storage.
"""

from __future__ import annotations

import contextlib
import functools
import io
import math
import pickletools
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from zoo.weights.stored import Stored

MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""The first program of the old layout: torch's magic number."""
_PROGRAM = 4 << 20
"""Most bytes of instructions; two thousand tensors need 0.4 MB."""
_RATIO = 4
"""All tensors together may claim this many times the file: more than one may share a storage."""
_STORAGES = {
    "torch.FloatStorage": "<f4",
    "torch.DoubleStorage": "<f8",
    "torch.HalfStorage": "<f2",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
    "torch.ShortStorage": "<i2",
    "torch.CharStorage": "|i1",
    "torch.ByteStorage": "|u1",
    "torch.BoolStorage": "|b1",
}
_CALLS = {
    "collections.OrderedDict": (0, 1),
    "torch.Size": (1,),
    "torch._utils._rebuild_tensor": (4,),
    "torch._utils._rebuild_tensor_v2": (6, 7),
    "torch._utils._rebuild_parameter": (3,),
}
"""Names that a program may call, and with how many arguments."""
_STATE = ("state_dict", "model")
"""Where a checkpoint that holds more than the weights keeps them."""


class Forbidden(ValueError):
    """The program asks for something that weights never need."""


@dataclass(frozen=True)
class _Name:
    text: str


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: str
    count: int

    @property
    def width(self) -> int:
        return 2 if self.dtype == "bfloat16" else np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def span(self) -> int:
        """Numbers of the storage from the first that it uses to the last."""
        return 1 + sum((side - 1) * stride for side, stride in zip(self.shape, self.strides, strict=True)) if all(self.shape) else 0


def recognised(head: bytes) -> bool:
    """Whether a file that begins so was written by torch.save: the old layout, or a zip archive that begins with data.pkl."""
    name = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    return head.startswith(MAGIC) or (head.startswith(b"PK\x03\x04") and name.endswith(b"/data.pkl"))


def tensors(path: Path, stack: contextlib.ExitStack) -> dict[str, Stored]:
    """{name: Stored} of the state dict in a file; the file stays open as long as the stack.

    Raises Forbidden for what is refused and ValueError or zipfile.BadZipFile for what is damaged; the caller names the file.
    """
    size, file = path.stat().st_size, stack.enter_context(path.open("rb"))
    content, storages, read = (
        _old(file, size) if file.read(len(MAGIC)) == MAGIC else _zipped(stack.enter_context(zipfile.ZipFile(path)), size)
    )
    state = _state(content)
    claimed = 0
    for name, tensor in state.items():
        _require_inside(tensor, storages, name)
        claimed += math.prod(tensor.shape) * max(tensor.storage.width, 4)
    if claimed > _RATIO * size:
        raise Forbidden(f"it has {size:,} bytes and claims {claimed:,} bytes of tensors, more than {_RATIO} times as many")
    return {name: _stored(path, tensor, read) for name, tensor in state.items()}


def _old(file: BinaryIO, size: int):
    """Five programs (magic number, version, machine, content, keys in order), then for every key a count and its numbers."""
    file.seek(0)
    programs = io.BytesIO(file.read(_PROGRAM))
    storages: dict[str, _Storage] = {}
    _, version, machine, content, keys = (_run(programs, storages) for _ in range(5))
    if version != 1001 or not isinstance(machine, dict) or machine.get("little_endian") is not True or not isinstance(keys, list):
        raise Forbidden("it is of an unknown version, or was written on a big-endian machine")
    position, places = programs.tell(), {}
    for key in keys:
        storage = storages.get(key) if isinstance(key, str) else None
        file.seek(position)
        if storage is None or key in places or int.from_bytes(file.read(8), "little") != storage.count:
            raise ValueError("the list of its storages is not that of its tensors")
        places[key] = position + 8
        position += 8 + storage.count * storage.width
        if position > size:
            raise ValueError(f"it ends after {size:,} bytes, and its storages go on to {position:,}")

    def read(storage: _Storage, start: int, stop: int) -> bytes:
        file.seek(places[storage.key] + start * storage.width)
        return file.read((stop - start) * storage.width)

    return content, {key: storages[key] for key in places}, read


def _zipped(archive: zipfile.ZipFile, size: int):
    """ROOT/data.pkl and a member ROOT/data/KEY for every storage. Members are never extracted; each read is checked by its sum."""
    members = {info.filename: info for info in archive.infolist()}
    root = archive.infolist()[0].filename.rpartition("/")[0] if members else ""
    if len(members) < len(archive.infolist()) or f"{root}/data.pkl" not in members:
        raise Forbidden("its archive names a member twice, or has no data.pkl")
    if any(name.startswith(f"{root}/code/") or name == f"{root}/constants.pkl" for name in members):
        raise Forbidden("it is a TorchScript program, which carries code")
    packed = any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in members.values())
    if packed or sum(info.file_size for info in members.values()) > size or members[f"{root}/data.pkl"].file_size > _PROGRAM:
        raise Forbidden("its members are compressed or encrypted, which torch never does, or claim to be longer than the file")
    if f"{root}/byteorder" in members and archive.read(f"{root}/byteorder") != b"little":
        raise Forbidden("it was written on a big-endian machine")
    storages: dict[str, _Storage] = {}
    content = _run(io.BytesIO(archive.read(f"{root}/data.pkl")), storages)
    for key, storage in storages.items():
        member = members.get(f"{root}/data/{key}")
        if member is None or member.file_size != storage.count * storage.width:
            raise ValueError(f"its storage {key!r} is missing, or not as long as its tensors say")

    @functools.lru_cache(maxsize=1)  # tensors that share a storage follow each other
    def member_of(key: str) -> bytes:
        return archive.read(f"{root}/data/{key}")

    return content, storages, lambda storage, start, stop: member_of(storage.key)[start * storage.width : stop * storage.width]


def _state(content) -> dict[str, _Tensor]:
    """The state dict, alone or inside a checkpoint; "module.", which training on several devices puts before every name, is dropped."""
    if isinstance(content, dict):
        content = next((content[key] for key in _STATE if isinstance(content.get(key), dict)), content)
    if not isinstance(content, dict) or not content:
        raise Forbidden("it holds no state dict")
    for name, value in content.items():
        if not isinstance(name, str) or not name.isprintable() or not isinstance(value, _Tensor):
            raise Forbidden(f"its entry {str(name)[:80]!r} is no tensor with a name")
    prefix = "module." if all(name.startswith("module.") for name in content) else ""
    return {name.removeprefix(prefix): value for name, value in content.items()}


def _require_inside(tensor: _Tensor, storages: dict[str, _Storage], name: str) -> None:
    storage = tensor.storage
    if storages.get(storage.key) != storage:
        raise ValueError(f"the storage of {name} is missing")
    if math.prod(tensor.shape) > storage.count or tensor.offset + tensor.span > storage.count:
        raise Forbidden(f"{name} of shape {list(tensor.shape)} reaches beyond the {storage.count:,} numbers of its storage")


def _stored(path: Path, tensor: _Tensor, read: Callable[[_Storage, int, int], bytes]) -> Stored:
    kind = tensor.storage.dtype
    wide = kind == "bfloat16"  # the upper half of a float32: widened without loss
    dtype = np.dtype("<u2" if wide else "|u1" if kind == "|b1" else kind)

    def values() -> np.ndarray:
        try:
            raw = read(tensor.storage, tensor.offset, tensor.offset + tensor.span)
            flat = np.frombuffer(raw, dtype, count=tensor.span)
        except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
            raise ValueError(
                f"{path} cannot be read as a weight file: {error}. It is damaged; delete it and fetch or save it again"
            ) from error
        if not all(tensor.shape):
            return np.zeros(tensor.shape, "float32" if wide else kind)
        strides = [0 if side == 1 else stride * dtype.itemsize for side, stride in zip(tensor.shape, tensor.strides, strict=True)]
        found = np.lib.stride_tricks.as_strided(flat, tensor.shape, strides, writeable=False)
        if wide:
            return (found.astype("<u4") << 16).view("<f4")
        return found != 0 if kind == "|b1" else found.copy()

    return Stored(tensor.shape, "float32" if wide else str(np.dtype(kind)), values)


# --- the machine


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_VALUES = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "BINSTRING", "SHORT_BINSTRING")
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def _run(program: io.BytesIO, storages: dict[str, _Storage]):
    """What one program leaves on its stack; storages that it mentions are added to `storages`."""
    machine = _Machine(storages)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # odd escapes in a name, which is then refused by what it says
            for code, argument, _ in pickletools.genops(program):
                if code.name == "STOP":
                    break
                machine.step(code.name, argument)
        (result,) = machine.stack
    except (IndexError, KeyError, RecursionError) as error:
        raise ValueError(f"its program is damaged ({type(error).__name__})") from error
    return result


class _Machine:
    def __init__(self, storages: dict[str, _Storage]):
        self.storages = storages
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def step(self, code: str, argument) -> None:
        """One instruction."""
        stack = self.stack
        if code in _CONSTANTS:
            stack.append(_CONSTANTS[code]())
        elif code in _VALUES:
            stack.append(argument)
        elif code in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif code in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif code == "MARK":
            self.marks.append(len(stack))
        elif code == "TUPLE":
            stack.append(tuple(self.marked()))
        elif code in _TUPLES:
            stack.append(tuple(self.last(_TUPLES[code])))
        elif code == "GLOBAL":
            stack.append(_name(argument))
        elif code == "REDUCE":
            stack.append(_called(*self.last(2)))
        elif code == "BINPERSID":
            stack.append(self.storage(stack.pop()))
        elif code in ("SETITEM", "SETITEMS"):
            self.set(self.last(2) if code == "SETITEM" else self.marked())
        elif code in ("APPEND", "APPENDS"):
            items = self.last(1) if code == "APPEND" else self.marked()
            _require(isinstance(stack[-1], list), "appends to something that is no list")
            stack[-1].extend(items)
        elif code == "BUILD":  # the versions of the modules, kept beside a state dict
            extra, target = stack.pop(), stack[-1]
            _require(isinstance(extra, dict) and isinstance(target, dict), "gives attributes to something that is no state dict")
        else:
            _require(code == "PROTO" and argument == 2, f"has the instruction {code}")

    def marked(self) -> list[Any]:
        """Everything since the last mark."""
        start = self.marks.pop()
        _require(start <= len(self.stack), "takes back more than it put down")
        return self.last(len(self.stack) - start)

    def last(self, count: int) -> list[Any]:
        start = len(self.stack) - count
        _require(start >= (self.marks[-1] if self.marks else 0), "takes back more than it put down")
        found = self.stack[start:]
        del self.stack[start:]
        return found

    def set(self, items: list[Any]) -> None:
        target, keys = self.stack[-1], items[::2]
        _require(isinstance(target, dict) and len(items) % 2 == 0, "gives entries to something that is no dict")
        _require(all(type(key) in (str, int) for key in keys), "has a dict with keys that are neither texts nor numbers")
        target.update(zip(keys, items[1::2], strict=True))

    def storage(self, fields) -> _Storage:
        """("storage", class, key, device, count), and in the old layout None: a view of another storage is not read."""
        _require(isinstance(fields, tuple) and (len(fields) == 5 or (len(fields) == 6 and fields[5] is None)), "has an odd storage")
        kind, name, key, _, count = fields[:5]
        known = kind == "storage" and isinstance(name, _Name) and name.text in _STORAGES and isinstance(key, str)
        _require(known and type(count) is int and count >= 0, "has an odd storage")
        found = _Storage(key, _STORAGES[name.text], count)
        _require(self.storages.setdefault(key, found) == found, "describes one storage in two ways")
        return found


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise Forbidden(f"its program {reason}")


def _name(argument: str) -> _Name:
    text = argument.replace(" ", ".")
    _require(text in _CALLS or text in _STORAGES, f"asks for {text[:120]!r}, which no tensor needs")
    return _Name(text)


def _called(function, arguments):
    """The few things that a program may build by calling a name."""
    callable_ = isinstance(function, _Name) and function.text in _CALLS and isinstance(arguments, tuple)
    _require(callable_ and len(arguments) in _CALLS[function.text], "calls something that is not to be called")
    if function.text == "collections.OrderedDict":
        pairs = arguments[0] if arguments else []
        whole = isinstance(pairs, list) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs)
        _require(whole and all(type(key) in (str, int) for key, _ in pairs), "has an odd ordered dict")
        return dict(pairs)
    if function.text == "torch.Size":
        return _sides(arguments[0])
    if function.text == "torch._utils._rebuild_parameter":
        _require(isinstance(arguments[0], _Tensor), "has a parameter that is no tensor")
        return arguments[0]
    storage, offset, shape, strides = arguments[:4]
    _require(isinstance(storage, _Storage) and type(offset) is int and offset >= 0, "has an odd tensor")
    shape, strides = _sides(shape), _sides(strides)
    _require(len(shape) == len(strides), "has an odd tensor")
    return _Tensor(storage, offset, shape, strides)


def _sides(value) -> tuple[int, ...]:
    _require(isinstance(value, tuple) and len(value) <= 8 and all(type(side) is int and side >= 0 for side in value), "has an odd shape")
    return value
