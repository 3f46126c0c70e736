"""The side of keras.applications, in this process: the same files and answers as `zoo.verify.torch_side` leaves.

Every size gets a network of its own: with unknown sizes keras.applications assumes even ones (and builds another NASNet).
"""

from __future__ import annotations

import functools
from pathlib import Path

import keras
import numpy as np

from zoo.verify.images import probe, smooth_images


def build(model: str, size, options: dict, *, top: bool = True) -> keras.Model:
    fields = {"classifier_activation": None} if top else {}
    return getattr(keras.applications, model)(weights=None, include_top=top, input_shape=(*size, 3), **fields, **options)


def randomise(model: keras.Model, images: np.ndarray, seed: int = 0) -> None:
    """As `zoo.verify.torch_side.randomise`; the statistics are measured in one training pass without dropout."""
    random = np.random.default_rng(seed)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in model.layers:
        for weight in layer.trainable_weights:
            weight.assign(_drawn(random, layer, weight))
    momenta = [layer.momentum for layer in norms]
    without_dropout(model)
    for layer in norms:
        layer.momentum = 0.0
    if norms:
        model(images, training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


def _drawn(random: np.random.Generator, layer, weight) -> np.ndarray:
    shape, kind = tuple(weight.shape), weight.path.rpartition("/")[2]
    if kind.endswith("kernel"):
        depthwise = kind == "depthwise_kernel" or isinstance(layer, keras.layers.DepthwiseConv2D)
        return random.normal(size=shape) * np.sqrt(2 / np.prod(shape[:2] if depthwise else shape[:-1]))
    if kind == "gamma":
        scale = "scale" in type(layer).__name__.lower()
        return random.uniform(0.3, 0.9, shape) if scale else random.uniform(0.5, 1.5, shape)
    return random.normal(size=shape) * 0.1


def without_dropout(model: keras.Model) -> keras.Model:
    """Stochastic layers of a model do nothing from now on."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return model


def publish(model: keras.Model, path: Path) -> None:
    """A weights-only file in the layout of keras.applications, written by Keras' own legacy code."""
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)


def step(model: keras.Model, images: np.ndarray, shape) -> None:
    """One step of gradient descent with rate 1 on sum(output * probe), with batch statistics and without dropout."""
    count = len(images)

    def dotted(weighting, out):
        return keras.ops.sum(out * weighting, axis=tuple(range(1, len(shape)))) * count  # fit() averages over the batch

    without_dropout(model).compile(keras.optimizers.SGD(1.0), dotted, run_eagerly=True)
    model.train_on_batch(images, probe(shape))


def run(folder: Path, name: str, options: dict, sizes, prepare, training, top: bool = True) -> dict[str, np.ndarray]:
    """Leave weights.h5 (and after.h5) in the folder and return the answers; `prepare` turns an image into what the network takes.

    Must be called with float64 as floatx and as the dtype policy.
    """
    make = functools.partial(build, name, options=options, top=top)
    model = make(sizes[0])
    randomise(model, prepare(smooth_images(4, *sizes[0])))
    publish(model, folder / "weights.h5")
    weights = model.get_weights()
    answers = {"parameters": np.array(sum(int(np.prod(weight.shape)) for weight in model.trainable_weights))}
    for size in sizes:
        if size != sizes[0]:
            model = make(size)
            model.set_weights(weights)
        answers[f"{size[0]}x{size[1]}"] = keras.ops.convert_to_numpy(
            model(prepare(smooth_images(2, size[0], size[1], seed=1)), training=False)
        )
    if training:
        model = make(training)
        model.set_weights(weights)
        images = prepare(smooth_images(2, training[0], training[1], seed=1))
        step(model, images, model.compute_output_shape(images.shape))
        publish(model, folder / "after.h5")
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    model = make(sizes[0])
    model.set_weights(weights)
    answers["float32"] = keras.ops.convert_to_numpy(
        model(prepare(smooth_images(2, sizes[0][0], sizes[0][1], seed=1)).astype("float32"), training=False)
    )
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    return answers
