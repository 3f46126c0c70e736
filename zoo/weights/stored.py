"""Weight files as named tensors that are read one by one: format found from the content, never from the name.

`opened(path)` checks everything that can be checked before a byte of data is read: the kind of file, links, filters,
types and the memory that the file claims to need.
"""

from __future__ import annotations

import contextlib
import functools
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo.weights.record import APPLICATIONS_H5, KERAS_H5, TFLITE_INT8, TIMM_SAFETENSORS, TORCH_PICKLE, ZOO_SAFETENSORS

ACCEPTED = "accepted are .weights.h5 of Keras 3, .h5 of keras.applications, safetensors, state dicts of torch.save, and .tflite"
_NUMPY = {"BOOL": "bool", "F16": "float16", "F32": "float32", "F64": "float64", "U8": "uint8"}
_NUMPY |= {f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)}
"""safetensors' names of types -> numpy's; others (bfloat16, float8) keep theirs and fit no tensor."""
_RATIO = 64
"""A file may not claim more than this many times its own size in tensors: a compressed bomb is refused, real weights hardly compress."""
_FILTERS = (1, 2, 3, 32000)  # deflate, shuffle, fletcher32, lzf: those that h5py carries itself
_REFUSED = (
    (b"PK\x03\x04", "a zip archive (.keras and npz files are zips), which may carry code or configuration"),
    (b"\x80", "a pickle, which can run any code when it is read"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"<", "a web page: the download was not the file itself"),
)


@dataclass(frozen=True)
class Stored:
    """One tensor in a file: its shape, its type, and how to read it."""

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Opened:
    """An open weight file: format, {name: Stored} in the file's order, and the text metadata of a safetensors file."""

    path: Path
    format: str
    tensors: dict[str, Stored]
    metadata: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def opened(path: str | Path, whole_model: bool = False) -> Iterator[Opened]:
    """Open a weight file and list its tensors. Raises ValueError naming the file, the reason and what is accepted.

    whole_model: the file is known to be a whole model of Keras 2 in HDF5 (`record.WHOLE_MODEL_H5`): of it, only the weights are read.
    """
    path = Path(path)
    kind = _kind(path)
    if whole_model and kind != "hdf5":
        raise ValueError(f"{path} is no HDF5 file, which a whole model of Keras 2 is; delete it and fetch it again")
    with contextlib.ExitStack() as stack:
        try:
            read = _whole_model if whole_model else {"hdf5": _hdf5, "safetensors": _safetensors, "tflite": _tflite, "torch": _torch}[kind]
            file = read(path, stack)
        except (OSError, RuntimeError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise _broken(path, error) from error
        yield file


def _broken(path: Path, error) -> ValueError:
    return ValueError(f"{path} cannot be read as a weight file: {error}. It is damaged or cut short; delete it and fetch or save it again")


def _kind(path: Path) -> str:
    if path.is_dir():
        raise ValueError(f"{path} is a folder (SavedModel and Orbax are folders, and may carry code); {ACCEPTED}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no weight file {path}")
    from zoo.weights import pickled

    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "hdf5"
    if len(head) >= 9 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= size - 8:
        return "safetensors"
    if pickled.recognised(head):
        return "torch"
    if head[4:8] == b"TFL3":
        return "tflite"
    if size == 0:
        raise ValueError(f"{path} is empty; delete it and fetch or save it again")
    for magic, what in _REFUSED:
        if head.lstrip().startswith(magic) if magic == b"<" else head.startswith(magic):
            raise ValueError(f"{path} is {what}; {ACCEPTED}")
    if head[257:262] == b"ustar":
        raise ValueError(f"{path} is a tar archive; {ACCEPTED}")
    raise ValueError(f"{path} is no weight file, or it is damaged; {ACCEPTED}")


def _safetensors(path: Path, stack: contextlib.ExitStack) -> Opened:
    from safetensors import SafetensorError, safe_open

    try:
        file = stack.enter_context(safe_open(path, framework="np"))
        metadata = dict(file.metadata() or {})
        tensors = {}
        for name in sorted(file.keys()):
            part = file.get_slice(name)
            dtype = _NUMPY.get(part.get_dtype(), part.get_dtype())
            tensors[name] = Stored(tuple(part.get_shape()), dtype, functools.partial(file.get_tensor, name))
    except SafetensorError as error:
        raise _broken(path, error) from error
    return Opened(path, ZOO_SAFETENSORS if "zoo" in metadata else TIMM_SAFETENSORS, tensors, metadata)


def _torch(path: Path, stack: contextlib.ExitStack) -> Opened:
    from zoo.weights import pickled

    try:
        return Opened(path, TORCH_PICKLE, pickled.tensors(path, stack))
    except pickled.Forbidden as error:
        raise ValueError(f"{path} is a pickle of torch, and {error}; it is refused. Only a state dict of plain tensors is read") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _broken(path, error) from error


def _tflite(path: Path, stack: contextlib.ExitStack) -> Opened:
    from zoo.weights import tflite

    return Opened(path, TFLITE_INT8, {name: Stored(shape, "float32", read) for name, (shape, read) in tflite.tensors(path).items()})


def _hdf5(path: Path, stack: contextlib.ExitStack) -> Opened:
    import h5py

    file = stack.enter_context(h5py.File(path, "r"))
    datasets = _guarded(file, path)
    if "layer_names" in file.attrs or "layer_names0" in file.attrs:
        if "model_config" in file.attrs:
            raise ValueError(f"{path} holds a whole model, not only weights; a model's configuration is never read from a file. {ACCEPTED}")
        return Opened(path, APPLICATIONS_H5, _applications_names(file, datasets, path))
    if "model_weights" in file or "model_config" in file.attrs:
        raise ValueError(f"{path} holds a whole model (legacy .h5), not only weights; save its weights with zoo.save_weights. {ACCEPTED}")
    if any("/vars/" in f"/{name}" for name in datasets):
        return Opened(path, KERAS_H5, _keras_names(file, datasets, path))
    raise ValueError(f"{path} is HDF5 but holds no Keras weights; {ACCEPTED}")


def _whole_model(path: Path, stack: contextlib.ExitStack) -> Opened:
    """The group "model_weights" alone, as if it were the file: neither the model's configuration nor its optimiser is looked at."""
    import h5py

    file = stack.enter_context(h5py.File(path, "r"))
    datasets = _guarded(file, path)
    group, prefix = file.get("model_weights"), "model_weights/"
    if not isinstance(group, h5py.Group) or "layer_names" not in group.attrs:
        raise ValueError(f"{path} holds no whole model of Keras 2; {ACCEPTED}")
    inside = {name.removeprefix(prefix): item for name, item in datasets.items() if name.startswith(prefix)}
    return Opened(path, APPLICATIONS_H5, _applications_names(group, inside, path))


def _guarded(file, path: Path) -> dict[str, Any]:
    """Every dataset by name, after refusing links, foreign storage, strange types and bombs; no data has been read."""
    import h5py

    datasets, seen = {}, set()

    def visit(group, prefix):
        for name in group:
            link = group.get(name, getlink=True)
            if type(link) is not h5py.HardLink:
                raise ValueError(f"{path} has a {type(link).__name__} at {prefix}{name}: it may point at other files, so it is refused")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise ValueError(f"{path} reaches one object by two names, at {prefix}{name}; it is refused")
            seen.add(address)
            if isinstance(item, h5py.Group):
                visit(item, f"{prefix}{name}/")
            elif isinstance(item, h5py.Dataset):
                _require_plain(item, f"{prefix}{name}", path)
                datasets[f"{prefix}{name}"] = item
            else:
                raise ValueError(f"{path} holds a {type(item).__name__} at {prefix}{name}, which weights never do")

    visit(file, "")
    claimed, size = sum(_claimed(item) for item in datasets.values()), path.stat().st_size
    if claimed > _RATIO * size:
        raise ValueError(
            f"{path} has {size:,} bytes and claims {claimed:,} bytes of tensors, more than {_RATIO} times as many; it is refused"
        )
    return datasets


def _require_plain(item, name: str, path: Path) -> None:
    if item.external or item.is_virtual:
        raise ValueError(f"{path} keeps {name} outside itself (external or virtual storage); it is refused")
    if item.shape is None or item.dtype.kind not in "fiub":
        raise ValueError(f"{path} holds {item.dtype} at {name}, expected plain numbers; it is refused")
    properties = item.id.get_create_plist()
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    if not set(filters) <= set(_FILTERS):
        raise ValueError(f"{path} needs the HDF5 plug-in filter {filters} for {name}; plug-ins are not loaded")


def _claimed(item) -> int:
    count = 1
    for side in item.shape:
        count *= int(side)
    return count * item.dtype.itemsize


def _stored(item) -> Stored:
    return Stored(tuple(item.shape), str(item.dtype), lambda: item[()])


def _applications_names(file, datasets, path: Path) -> dict[str, Stored]:
    """{"layer/weight name as stored": Stored}, in the file's order."""
    tensors = {}
    for layer in _texts(file.attrs, "layer_names"):
        for weight in _texts(file[layer].attrs, "weight_names") if layer in file else ():
            name = f"{layer}/{weight}"
            if name not in datasets:
                raise ValueError(f"{path} lists {name} but does not hold it; it is damaged, fetch it again")
            tensors[name] = _stored(datasets[name])
    unlisted = sorted(set(datasets) - set(tensors))
    if unlisted:
        raise ValueError(f"{path} holds {len(unlisted)} tensors that its list does not name, for example {unlisted[0]}; it is refused")
    return tensors


def _texts(attributes, name: str) -> list[str]:
    """A list of names; Keras cuts long ones into NAME0, NAME1, ..."""
    if name in attributes:
        values = list(attributes[name])
    else:
        values, index = [], 0
        while f"{name}{index}" in attributes:
            values += list(attributes[f"{name}{index}"])
            index += 1
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _keras_names(file, datasets, path: Path) -> dict[str, Stored]:
    """{"layer/0": Stored}: Keras 3 files its tensors by class and position, but writes the layer's name beside them.

    Reading by that name, not by position, refuses a file whose layers have the same shapes in another order.
    """
    tensors = {}
    for name, item in datasets.items():
        group, _, index = name.rpartition("/")
        if not group.endswith("vars") or not index.isdigit():
            raise ValueError(f"{path} holds {name}, which Keras does not write into a .weights.h5; it is refused")
        key = f"{_layer_path(file, group, path)}/{int(index)}"
        if key in tensors:
            raise ValueError(f"{path} names two layers {key.rpartition('/')[0]!r}; it is refused")
        tensors[key] = _stored(item)
    return tensors


def _layer_path(file, group: str, path: Path) -> str:
    """ "layers/sequential/layers/conv2d/vars" -> "inner/conv": the names of all enclosing layers below the model."""
    steps, names = group.split("/")[:-1], []
    for depth in range(1, len(steps) + 1):
        holder = "/".join((*steps[:depth], "vars"))
        if holder in file:
            if "name" not in file[holder].attrs:
                raise ValueError(
                    f"{path} does not say the name of the layer at {holder}; save it again with a newer Keras or zoo.save_weights"
                )
            names.append(str(file[holder].attrs["name"]))
    return "/".join(names)


def metadata_json(file: Opened, key: str):
    """A metadata entry of a safetensors file as JSON; damaged text raises ValueError."""
    try:
        return json.loads(file.metadata[key])
    except (KeyError, json.JSONDecodeError) as error:
        raise _broken(file.path, f"metadata {key!r} is missing or damaged") from error
