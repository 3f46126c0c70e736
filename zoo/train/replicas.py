"""Training under a `tf.distribute` strategy: the loop of `fit`, which Keras' own cannot be there.

In Keras 3.15 `fit` fails under `MultiWorkerMirroredStrategy` (keras#20585), and trained on other batches of a generator than without
a strategy under `MirroredStrategy`. The steps it is made of work: `train_step` and `test_step` scale the loss, sum the gradients over
all replicas, and count the metrics. So only the loop around them is ours, with the callbacks, logs and epochs of `fit`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np


def fit(
    model: keras.Model,
    batches: Iterable,
    *,
    place,
    epochs: int,
    initial_epoch: int,
    steps_per_epoch: int,
    validation_data,
    callbacks,
    verbose: Any,
) -> None:
    """What `model.fit` does with the same arguments, for batches that hold this process's part of each global batch.

    place: of `distribute.current()`. Every process calls this with equally many batches; validation batches may differ in number.
    """
    train_step, test_step = _spread(place.engine, model.train_step), _spread(place.engine, model.test_step)
    progress = bool(verbose) and place.chief
    calls = keras.callbacks.CallbackList(
        callbacks, add_progbar=progress, model=model, epochs=epochs, steps=steps_per_epoch, verbose=verbose
    )
    model.stop_training = False
    calls.on_train_begin()
    stream = iter(batches)
    logs: dict[str, float] = {}
    for epoch in range(initial_epoch, epochs):
        model.reset_metrics()
        calls.on_epoch_begin(epoch)
        for step in range(steps_per_epoch):
            calls.on_train_batch_begin(step)
            train_step(next(stream))
            calls.on_train_batch_end(step)
        logs = _numbers(model)
        logs |= {f"val_{name}": value for name, value in _evaluate(model, validation_data, test_step, calls, place).items()}
        calls.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    calls.on_train_end(logs)


def _evaluate(model, data, test_step, calls, place) -> dict[str, float]:
    model.reset_metrics()
    calls.on_test_begin()
    if isinstance(data, keras.utils.PyDataset):
        data = map(data.__getitem__, range(len(data)))
    for step, batch in enumerate(_filled(data, _devices(place.engine))):
        calls.on_test_batch_begin(step)
        test_step(batch)
        calls.on_test_batch_end(step)
    logs = _numbers(model)
    calls.on_test_end(logs)
    return logs


def _filled(batches: Iterable, devices: int) -> Iterator[list[np.ndarray]]:
    """The batches as arrays; one with fewer images than devices, of which some would get none, is joined to the one before."""
    held = None
    for batch in batches:
        arrays = [np.asarray(each) for each in batch]
        if held is not None and len(arrays[0]) < devices:
            arrays = [np.concatenate(pair) for pair in zip(held, arrays, strict=True)]
        elif held is not None:
            yield held
        held = arrays
    if held is not None and 0 < len(held[0]) < devices:
        raise ValueError(f"{len(held[0])} validation images cannot be shared by {devices} devices; give at least one for each")
    if held is not None and len(held[0]):
        yield held


def _numbers(model) -> dict[str, float]:
    """The metrics over all replicas: outside a step, reading their counts sums them."""
    return {name: float(keras.ops.convert_to_numpy(value)) for name, value in model.get_metrics_result().items()}


def _spread(strategy, step):
    """`step` on every replica: the batch of this process is cut into as many pieces as it has devices."""
    import tensorflow as tf

    def quiet(piece) -> None:
        step(piece)  # its own logs count one replica only

    run = tf.function(lambda batch: strategy.run(quiet, args=(batch,)), autograph=False, reduce_retracing=True)
    devices = _devices(strategy)

    def on_batch(batch) -> None:
        pieces = list(zip(*(np.array_split(np.asarray(each), devices) for each in batch), strict=True))
        run(strategy.experimental_distribute_values_from_function(lambda context: pieces[context.replica_id_in_sync_group % devices]))

    return on_batch


def _devices(strategy) -> int:
    """How many devices of this process the strategy uses."""
    return len(strategy.extended.worker_devices)
