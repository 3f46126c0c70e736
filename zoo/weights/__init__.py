"""Published and own weights: the table, the cache, and a loader that puts in all tensors or none.

A file is hashed before it is parsed, never unpickled, and never tells us what to build: the architecture comes from our
code. What is absent, left over or misshapen raises with the paths. See `zoo.weights.load` for the functions,
`zoo.weights.published` for what can be fetched, `zoo.download` for ZOO_CACHE, ZOO_MIRROR and ZOO_OFFLINE.
No framework is imported here; a model brings its own.
"""

from __future__ import annotations

from zoo.download import DownloadError, fetch
from zoo.weights.classes import class_names
from zoo.weights.load import Source, fill, find, load_weights, save_weights
from zoo.weights.published import TABLE, records
from zoo.weights.record import Record

__all__ = ["TABLE", "DownloadError", "Record", "Source", "class_names", "fetch", "fill", "find", "load_weights", "records", "save_weights"]
