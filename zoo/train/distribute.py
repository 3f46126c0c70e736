"""One flag that spreads a training over several devices or several machines, on the engines that Keras' backends bring.

    with distribute.scope("mirrored"):           # TensorFlow, the GPUs of one machine: tf.distribute.MirroredStrategy
        with recipe.building():
            model = zoo.classifier("resnet50", classes=10)
        fit(model, data, recipe, run)

    "mirrored"       TensorFlow, all devices of this machine
    "data_parallel"  JAX, all devices of this machine: keras.distribution.DataParallel
    "workers"        several processes or machines: on JAX the same over all of them, on TensorFlow MultiWorkerMirroredStrategy
    None             one device; the block changes nothing

The same lines build and train the model, because its variables have to be created where they will live. `recipe.batch_size` stays the
*global* batch: n devices see batch_size / n images each, and the result is that of one device up to rounding. Two things differ by the
engine. On JAX batch normalisation sees the global batch; on TensorFlow each device normalises its own share, unless the layer is built
with synchronized=True. And training leaves out what is over after the last whole batch of an epoch (other images each epoch).
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras

KINDS = {"mirrored": ("tensorflow",), "data_parallel": ("jax",), "workers": ("tensorflow", "jax")}
"""Kind -> backends that have it."""


@dataclass(frozen=True)
class Place:
    """Where a training runs.

    kind:     None or one of `KINDS`.
    replicas: devices that each hold a copy of the model, over all processes.
    part:     (index, count) of this process among all.
    engine:   the tf.distribute strategy, the keras.distribution object, or None.
    """

    kind: str | None = None
    replicas: int = 1
    part: tuple[int, int] = (0, 1)
    engine: Any = None

    @property
    def chief(self) -> bool:
        """Whether this process writes the files: the first one does."""
        return self.part[0] == 0

    def barrier(self) -> None:
        """Wait until every process is here."""
        if self.part[1] == 1:
            return
        if keras.backend.backend() == "jax":
            from jax.experimental import multihost_utils

            multihost_utils.sync_global_devices("zoo")
        else:
            import tensorflow as tf

            meet = tf.function(lambda: self.engine.reduce("SUM", self.engine.run(lambda: tf.constant(1.0)), axis=None), autograph=False)
            meet()

    def said(self) -> str:
        """For the line at the start of a training: " | mirrored over 2 devices", or nothing."""
        return f" | {self.kind} over {self.replicas} devices" if self.kind else ""

    def fit(self, model: keras.Model, batches, **keywords) -> None:
        """`model.fit(batches, **keywords)`, by a loop of ours where Keras' own cannot run."""
        if self.kind is not None and keras.backend.backend() == "tensorflow":
            from zoo.train import replicas

            keywords.pop("shuffle", None)
            replicas.fit(model, batches, place=self, **keywords)
        else:
            model.fit(batches, **keywords)

    def in_turn(self, function: Callable[[], Any]) -> Any:
        """Call `function` in the chief first and in the others when it is done; each gets its own result."""
        result = function() if self.chief else None
        self.barrier()
        if not self.chief:
            result = function()
        self.barrier()
        return result

    def adapt(self, recipe):
        """The recipe as this engine can run it; what is changed is said in a warning, what would change the result is refused."""
        if self.kind is None:
            return recipe
        if recipe.batch_size % self.replicas:
            low = max(recipe.batch_size // self.replicas, 1) * self.replicas
            raise ValueError(f"batch_size={recipe.batch_size} cannot be shared by {self.replicas} devices; say batch_size={low}")
        if keras.backend.backend() != "tensorflow":
            return recipe
        changes: dict[str, Any] = {}
        if recipe.steps_per_execution > 1:
            changes["steps_per_execution"] = 1
        if recipe.jit is True:
            changes["jit"] = False
        if changes:
            said = ", ".join(f"{name}={value} instead of {getattr(recipe, name)}" for name, value in changes.items())
            warnings.warn(f"{self.kind} on TensorFlow: {said}, because Keras fails with it under tf.distribute", UserWarning, stacklevel=3)
        return dataclasses.replace(recipe, **changes)

    def share(self, train, validation, recipe) -> tuple[Any, Any]:
        """The two feeds as this process reads them: its part of every batch, and only whole batches to train on."""
        if self.kind is None:
            return train, validation
        left = len(train) % recipe.batch_size
        if left:
            warnings.warn(
                f"{self.kind}: {left} of {len(train)} images, drawn anew, are left out of each epoch, because a batch that is not whole "
                f"cannot be shared by {self.replicas} devices",
                UserWarning,
                stacklevel=3,
            )
        return _Share(train, self), _Share(validation, self)

    def check(self, model: keras.Model) -> None:
        """Raise ValueError when the compiled model was built in another place, or its optimiser does what this engine cannot."""
        backend = keras.backend.backend()
        here = True
        if backend == "tensorflow":
            here = getattr(model, "_distribute_strategy", None) is self.engine
        elif backend == "jax":
            here = all(len(variable.value.sharding.device_set) == self.replicas for variable in model.variables)
        if not here:
            where = f"`with distribute.scope({self.kind!r}):`" if self.kind else "the `with distribute.scope(...):` it was built in"
            raise ValueError(f"the model was not built where it is trained; build it and call fit in one block, {where}")
        optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        steps = getattr(optimizer, "gradient_accumulation_steps", None)
        if self.kind is not None and backend == "tensorflow" and steps:
            raise ValueError(
                f"gradient accumulation over {steps} steps fails under tf.distribute in Keras 3.15. {self.replicas} devices hold "
                f"{self.replicas} times the batch of one: raise batch_size instead, or accumulate on JAX with 'data_parallel'"
            )


@contextlib.contextmanager
def scope(kind: str | None, addresses: Sequence[str] | None = None, index: int | None = None) -> Iterator[Place]:
    """Build and train in this block, see the head of this file. It must come before the first computation of the process.

    addresses: "workers" only: "host:port" of every process, the same list in the same order everywhere; the first is the chief, which
               alone writes the run folder. All must see the run folder. Default: `ZOO_WORKERS`, separated by commas, else `TF_CONFIG`.
    index:     which of them this process is. Default: `ZOO_WORKER`, else `TF_CONFIG`.

    Raises ValueError for an unknown kind, for one that the backend does not have, and for workers without addresses.
    """
    global _current
    backend = keras.backend.backend()
    if kind is None:
        yield _current
        return
    if kind not in KINDS:
        raise ValueError(f"distribute must be one of {', '.join(KINDS)} or None, got {kind!r}")
    if backend not in KINDS[kind]:
        can = [name for name, backends in KINDS.items() if backend in backends]
        cure = f"say {' or '.join(map(repr, can))}" if can else (
            "Keras 3.15 has no distribution for torch; set KERAS_BACKEND=jax or tensorflow (the model code stays), or train on one device"
        )  # fmt: skip
        raise ValueError(f"distribute={kind!r} is for {' and '.join(KINDS[kind])}, the backend is {backend}: {cure}")
    if _current.kind is not None:
        raise ValueError(f"distribute.scope({kind!r}) inside distribute.scope({_current.kind!r}): leave the first block before")
    where = cluster(addresses, index) if kind == "workers" else ([], 0)
    place = _jax_place(kind, *where) if backend == "jax" else _tensorflow_place(kind, *where)
    with place.engine.scope():
        _current = place
        try:
            yield place
        finally:
            _current = Place()


def current() -> Place:
    """The place of the block that is open, or that of one device."""
    return _current


def cluster(addresses: Sequence[str] | None = None, index: int | None = None) -> tuple[list[str], int]:
    """(addresses, index) from the arguments, the environment variables `ZOO_WORKERS` and `ZOO_WORKER`, or `TF_CONFIG`."""
    config = json.loads(os.environ.get("TF_CONFIG") or "{}")
    listed = config.get("cluster", {})
    found = [*(addresses or [])] or [each.strip() for each in os.environ.get("ZOO_WORKERS", "").split(",") if each.strip()]
    found = found or [*listed.get("chief", []), *listed.get("worker", [])]
    if index is None:
        task = config.get("task", {})
        start = len(listed.get("chief", [])) if task.get("type") == "worker" else 0
        text = os.environ.get("ZOO_WORKER") or (str(start + int(task["index"])) if task else "")
        index = int(text) if text.isdigit() else None
    if not found or index is None or not 0 <= index < len(found):
        raise ValueError(
            f"workers need the address of every process and which one this is, got addresses {found} and index {index}. Set, on each, "
            "ZOO_WORKERS=host0:port,host1:port and ZOO_WORKER=0 (1, ...), or TF_CONFIG"
        )
    return found, index


def _tensorflow_place(kind: str, addresses: list[str], index: int) -> Place:
    import tensorflow as tf

    if kind == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
        return Place(kind, strategy.num_replicas_in_sync, engine=strategy)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": addresses}), task_type="worker", task_id=index, rpc_layer="grpc"
    )
    strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    return Place(kind, strategy.num_replicas_in_sync, (index, len(addresses)), strategy)


def _jax_place(kind: str, addresses: list[str], index: int) -> Place:
    if kind == "workers" and len(addresses) > 1:
        keras.distribution.initialize(",".join(addresses), len(addresses), index)
    engine = _data_parallel()
    return Place(kind, engine.num_model_replicas, (index, max(len(addresses), 1)), engine)


def _data_parallel():
    class DataParallel(keras.distribution.DataParallel):
        """Keras' own, with one addition: a batch that the devices of this process cannot share is computed whole on each of them."""

        def get_data_layout(self, data_shape):
            layout = super().get_data_layout(data_shape)
            if data_shape[0] % (self.num_model_replicas // self.num_processes):
                return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)
            return layout

    return DataParallel(auto_shard_dataset=False)


class _Share:
    """A feed as one process reads it."""

    def __init__(self, feed, place: Place):
        self._feed, self._place = feed, place

    def __getattr__(self, name):
        found = getattr(self._feed, name)
        if name == "changed":  # a recipe's changes of pictures: what comes of them is shared too
            return lambda *arguments, **wishes: _Share(found(*arguments, **wishes), self._place)
        return found

    def steps(self, batch_size: int) -> int:
        return self._feed.steps(batch_size, drop_remainder=True)

    def training(self, batch_size: int, seed: int, start_epoch: int = 0):
        return self._feed.training(batch_size, seed, start_epoch, drop_remainder=True, **self._part(self._feed.training))

    def evaluation(self, batch_size: int):
        """Every image once. On JAX all devices must get equally many; where they cannot, each computes all of them, which is exact."""
        if keras.backend.backend() == "jax" and len(self._feed) % self._place.replicas:
            return self._feed.evaluation(max(batch_size - 1, 1))  # not divisible by the devices, see DataParallel above
        return self._feed.evaluation(batch_size, **self._part(self._feed.evaluation))

    def _part(self, method: Callable) -> dict[str, tuple[int, int]]:
        if self._place.part[1] == 1:
            return {}
        if "part" not in inspect.signature(method).parameters:
            raise ValueError(
                f"{type(self._feed).__name__} needs every picture of a batch in one process (mixup and cutmix blend them, growing pictures "
                "change with the epoch), so it cannot be shared between workers; leave these out, or use one process with several devices"
            )
        return {"part": self._place.part}


_current = Place()
