"""Train a model over Keras' own compile and fit, so that a kill at any moment costs at most the epoch it fell into.

    recipe = Recipe(epochs=20)
    with recipe.building():
        model = zoo.classifier("small_cnn", classes=10)
    history = fit(model, data, recipe, Run.open("runs/first", recipe, name="first"))

Running the same lines again after a kill resumes; after the end it only loads the best weights.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from zoo import atomic
from zoo.losses.soft import accurate
from zoo.train import checkpoint, distribute, lock, startup
from zoo.train.arrays import Arrays
from zoo.train.average import ValidateAverage
from zoo.train.check import check_batch, check_labels
from zoo.train.check_objects import check_objects, teaches_itself
from zoo.train.guard import FiniteGuard, fitting_batch, is_out_of_memory
from zoo.train.keeper import Keeper, best_epoch, repair_history
from zoo.train.limits import CLASSIFIER_MONITORS
from zoo.train.recipe import Recipe
from zoo.train.switches import largest_divisor


class OutOfMemory(RuntimeError):
    """A step did not fit into the memory of the device."""


@dataclass(frozen=True)
class History:
    """What happened.

    rows:       one per epoch: "epoch" (from 1), "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate" (after it), "seconds".
    best_epoch: its number; None when the monitored value was never finite.
    seconds:    of all epochs, those before a kill included.
    """

    rows: list[dict]
    best_epoch: int | None
    seconds: float

    @property
    def best(self) -> dict:
        """The row of the best epoch (the last row when there is none)."""
        return self.rows[(self.best_epoch or len(self.rows)) - 1]


def fit(
    model: keras.Model,
    data: Any,
    recipe: Recipe,
    run: Any,
    *,
    callbacks=(),
    loss=None,
    metrics=None,
    guard_every: int = 100,
    verbose: int = 1,
) -> History:
    """Train `model`, leave its best weights in it, save it to `run.model`, and return the history.

    model:       a classifier, or a detector (`zoo.detect.model.Detector`), whose own criterion is the loss.
    data:        has `.train` and `.validation`, each with training(batch_size, seed, start_epoch), steps(batch_size) and
                 evaluation(batch_size) as `zoo.data.pipeline.Pipeline`; or ((x, y), (xv, yv)) arrays, images in [0, 255].
                 A recipe that changes pictures asks `.train` to do it, which arrays cannot.
                 For a detector `zoo.data.ObjectPipeline`, or arrays with y = {"boxes": (n, m, 4), "classes": (n, m)}.
    run:         a `zoo.run.Run`: `history` (CSV), `checkpoints` (folder) and `model` (.keras) are paths in its folder.
    callbacks:   further Keras callbacks. They start afresh on resume, except those with `state()` (JSON) and `load_state(state)`.
    loss:        instead of the recipe's cross-entropy on logits; then labels are not checked, and `metrics` are yours too.
    guard_every: updates between two looks at whether the weights are finite.
    verbose:     of Keras' fit; 0 prints nothing.

    Raises ValueError for data the model cannot learn from (`check_batch`), for a model of another precision than the recipe's,
    and for a run folder that was started with another recipe, model, data size or backend, naming the difference; NotFinite when
    the weights or the loss become NaN; OutOfMemory and DiskFull with what to do; Locked when another process trains in the folder.
    The last good checkpoint survives all of them.
    """
    place = distribute.current()
    wanted, recipe = recipe, place.adapt(recipe)
    train, validation = place.share(*feeds(data), recipe)
    with recipe.policy(), lock.held(run.folder, place.chief):
        _agrees_with(model, recipe)
        checkpoints = checkpoint.Checkpoints(run.checkpoints, writes=place.chief)
        checkpoints.sweep(run.history, run.model)
        steps = train.steps(recipe.batch_size)
        stored = place.in_turn(checkpoints.load_last)
        rows = stored[1]["rows"] if stored else []
        if stored is None:
            keras.utils.set_random_seed(recipe.seed)
        finished = stored is not None and stored[1]["finished"]
        if not finished:
            _check(model, train, validation, recipe, loss)
        fused = compile_for(model, recipe, steps, loss, metrics)
        place.check(model)
        contract = startup.contract(model, wanted, steps)
        keeper = Keeper(recipe, checkpoints, run.history, rows, contract, callbacks)
        keeper.set_model(model)
        if stored is not None:
            _same(contract, stored[1]["contract"], run.folder)
            states = _states(keeper.others, stored[1]["callbacks"], run.folder, finished)
            checkpoint.restore(model, stored[0])
            for callback, state in zip(keeper.others, states, strict=False):
                callback.load_state(state)
        if place.chief:
            repair_history(run.history, rows, stored is not None)
        if stored is None:
            keeper.save()
        if not finished and place.chief:
            startup.record(run.folder, model, recipe)
            if verbose:
                print(startup.line(model, recipe, steps, fused, len(rows)) + place.said(), flush=True)
        if not finished:
            guard = FiniteGuard(guard_every, lambda: f"{checkpoints.lasts()[0]}")
            train = pictures(train, recipe, model)
            _train(model, train, validation, recipe, steps, [ValidateAverage(), guard, *callbacks, keeper], len(rows), verbose)
        place.barrier()  # the best weights are read from the chief's file
        return _finish(model, recipe, checkpoints, rows, run)


def feeds(data: Any) -> tuple[Any, Any]:
    """(train, validation) of what `fit` accepts as data."""
    if isinstance(data, tuple | list):
        if len(data) != 2 or any(not isinstance(pair, tuple | list) or len(pair) != 2 for pair in data):
            raise ValueError("wanted data as ((images, labels), (validation images, validation labels)), got a sequence of another form")
        return Arrays(*data[0]), Arrays(*data[1])
    absent = [name for name in ("train", "validation") if getattr(data, name, None) is None]
    if absent:
        raise ValueError(
            f"wanted data with .train and .validation, got {type(data).__name__} without {' and '.join(absent)}; "
            "best weights are chosen on validation data"
        )
    return data.train, data.validation


def compile_for(model: keras.Model, recipe: Recipe, steps: int, loss=None, metrics=None) -> int:
    """Compile `model` with a fresh, built optimiser for `steps` updates per epoch; returns the updates per execution.

    Keras fetches that many batches even where the epoch has fewer left, which would shift every following epoch, so the
    largest divisor of `steps` that is not above the recipe's number is taken.
    """
    fused = largest_divisor(steps, recipe.steps_per_execution)
    updates = recipe.epochs * steps
    if recipe.ema is not None and updates * (1.0 - recipe.ema) < 3:
        wanted = f"ema={recipe.ema} averages over about {1 / (1 - recipe.ema):.0f} updates"
        warnings.warn(
            f"{wanted}, but the whole training has {updates}: the start would dominate; use a smaller ema", UserWarning, stacklevel=3
        )
    if loss is None:
        loss, metrics = (None, metrics) if teaches_itself(model) else (recipe.loss(), [accuracy(recipe)])
    if recipe.accumulation > 1:
        warn_of_batch_statistics(model, recipe)
    optimizer = recipe.optimizer_for(updates, model)
    model.compile(optimizer=optimizer, loss=loss, metrics=metrics, jit_compile=recipe.jit, steps_per_execution=fused)
    model.optimizer.build(model.trainable_variables)
    return fused


def pictures(train: Any, recipe: Recipe, model: keras.Model) -> Any:
    """The training data with the recipe's changes of pictures; the very same data when there are none."""
    asked = recipe.pictures()
    if not asked:
        return train
    if teaches_itself(model):
        raise ValueError(
            f"the recipe changes training pictures ({', '.join(asked)}) and knows nothing of boxes; switch these fields off and say "
            "zoo.data.ObjectPipeline(..., augment=zoo.data.ObjectAugment(...), epochs=..., close_mosaic=...)"
        )
    if not hasattr(train, "changed"):
        raise ValueError(
            f"the recipe changes training pictures ({', '.join(asked)}), which zoo.data.Pipeline does and {type(train).__name__} cannot; "
            "give Pipelines: zoo.data.Pipeline(zoo.data.Examples(images, labels), size)"
        )
    return train.changed(model.output_shape[-1], mix_epochs=recipe.epochs - recipe.mix_off_epochs, **asked)


def accuracy(recipe: Recipe) -> keras.metrics.Metric:
    """Top-1 accuracy; where the recipe mixes, that of the larger share, for only the validation pictures have one class."""
    if recipe.mixes:
        return keras.metrics.MeanMetricWrapper(accurate, name="accuracy")
    return keras.metrics.SparseCategoricalAccuracy(name="accuracy")


def warn_of_batch_statistics(model: keras.Model, recipe: Recipe) -> None:
    """Say it where accumulated gradients are not those of one large batch."""
    norms = [layer for layer in model._flatten_layers(include_self=False) if isinstance(layer, keras.layers.BatchNormalization)]
    if any(norm.trainable for norm in norms):
        warnings.warn(
            f"accumulation={recipe.accumulation}: batch normalisation takes its statistics from each {recipe.batch_size} images, not from "
            f"the {recipe.batch_size * recipe.accumulation} of one update",
            UserWarning,
            stacklevel=4,
        )


def precision_of(model: keras.Model) -> str:
    """The precision policy that the layers of `model` were built in."""
    names = {layer.dtype_policy.name for layer in model._flatten_layers(include_self=False)} - {"float32", "float64"}
    return "float32" if not names else " and ".join(sorted(names))


def _agrees_with(model, recipe: Recipe) -> None:
    built = precision_of(model)
    if built != recipe.precision:
        raise ValueError(
            f"the recipe asks for precision {recipe.precision!r}, but the model was built in {built!r}, and a model keeps the "
            "precision it was built in; build it inside `with recipe.building():`, or change the recipe"
        )
    if recipe.steps_per_execution > 1 and keras.backend.backend() == "torch":
        raise ValueError(
            f"steps_per_execution={recipe.steps_per_execution} fuses updates into one compiled loop, which Keras has "
            "on TensorFlow and JAX only; on torch say steps_per_execution=1"
        )
    if teaches_itself(model):
        _agrees_with_criterion(recipe)
    elif recipe.monitor not in CLASSIFIER_MONITORS:
        raise ValueError(f"monitor={recipe.monitor!r} is of detectors; a classifier has {' and '.join(CLASSIFIER_MONITORS)}")
    if recipe.drop_path is not None:
        _drops(model, recipe.drop_path)
    if recipe.ema is not None and not model.trainable_variables:
        raise ValueError("ema averages trainable weights, but the model has none; set model.trainable = True")


def _agrees_with_criterion(recipe: Recipe) -> None:
    if recipe.monitor == "val_accuracy":
        raise ValueError(
            "a detector has no accuracy to choose its best epoch by; say monitor='val_loss', or 'val_AP' with a callback for it"
        )
    if recipe.label_smoothing or recipe.criterion != "cross_entropy":
        raise ValueError("label_smoothing and criterion are of classifiers; a detector learns by its own criterion, so leave them out")


def _drops(model, rate: float) -> None:
    """Stochastic depth is a Dropout whose noise is one number per image. The last block's rate is the row's, or a little below."""
    layers = [layer for layer in model._flatten_layers(include_self=False) if isinstance(layer, keras.layers.Dropout)]
    built = max((layer.rate for layer in layers if layer.noise_shape is not None), default=0.0)
    if built > rate * (1 + 1e-6) or (rate and not built):
        raise ValueError(
            f"the recipe asks for drop_path={rate}, but the model was built with stochastic depth up to {built:g}; "
            "build it with zoo.classifier(NAME, changes=recipe.changes(NAME)), or say drop_path=None"
        )


def _check(model, train, validation, recipe: Recipe, loss) -> None:
    """The first batch, then all labels where they are at hand; also builds a model that has not seen an input yet."""
    images, labels = next(iter(train.training(recipe.batch_size, recipe.seed, 0)))
    if loss is None and teaches_itself(model):
        check_objects(model, images, labels)
        return
    classes = check_batch(model, images, labels if loss is None else None)
    if not model.built:
        model(keras.ops.convert_to_tensor(np.asarray(images)[:1]), training=False)
    for part, teaches in ((train, True), (validation, False)):
        column = getattr(getattr(part, "examples", part), "labels", None)
        if classes is not None and column is not None:
            check_labels(column, classes, teaches=teaches)


def _same(contract: dict, before: dict, folder) -> None:
    """The stored contract went through JSON, and so did ours. A field that a run knows nothing of, because it is older, had its default."""
    before = {**startup.defaults(), **before}
    changed = [
        f"{name} was {before.get(name)!r}, now {contract.get(name)!r}"
        for name in sorted({*contract, *before})
        if contract.get(name) != before.get(name)
    ]
    if changed:
        raise ValueError(
            f"the training in {folder} was started differently: {'; '.join(changed)}. Resume it as it was, or use a new run folder"
        )


def _states(callbacks: list, states: list, folder, finished: bool) -> list:
    """The stored states of the callbacks that have one; none when they cannot be told apart and nothing is left to train."""
    if len(callbacks) == len(states):
        return states
    if finished:
        return []
    raise ValueError(
        f"the training in {folder} was started with {len(states)} callbacks that keep a state, now there are {len(callbacks)}. "
        "Resume it with the same callbacks in the same order, or use a new run folder"
    )


def _train(model, train, validation, recipe, steps, callbacks, done: int, verbose) -> None:
    batches = train.training(recipe.batch_size, recipe.seed, done)
    try:
        distribute.current().fit(
            model,
            batches,
            epochs=recipe.epochs,
            initial_epoch=done,
            steps_per_epoch=steps,
            validation_data=validation.evaluation(recipe.batch_size),
            callbacks=callbacks,
            shuffle=False,
            verbose=verbose,
        )
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        size = recipe.batch_size
        alone = distribute.current().kind is None  # other devices and processes would have to take part in a trial
        fits = fitting_batch(lambda size: _try_batch(model, train, recipe, size), size) if alone else None
        half = fits or max(size // 2, 1)
        known = f"batch_size={half}, which was tried and fits," if fits else f"batch_size={half}" if size > 1 else "smaller images"
        instead = f"with learning_rate={recipe.learning_rate * half / size:g}, or accumulation={recipe.accumulation * size // half}"
        raise OutOfMemory(
            f"a batch of {size} images of {model.input_shape[1:]} did not fit into memory. Try {known} ({instead}), "
            "smaller images, a smaller model or mixed_bfloat16, in a new run folder. "
            f"Cause: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
        ) from error


def _try_batch(model, train, recipe: Recipe, size: int) -> None:
    """One update on `size` images. The model is lost anyway: its weights are somewhere inside an update."""
    images, labels = next(iter(train.training(recipe.batch_size, recipe.seed, 0)))
    model.train_on_batch(images[:size], keras.tree.map_structure(lambda column: column[:size], labels))


def _finish(model, recipe: Recipe, checkpoints, rows: list[dict], run) -> History:
    best = best_epoch(rows, recipe.monitor)
    if best is None:
        warnings.warn(
            f"{recipe.monitor} was never finite, so there is no best epoch; the model holds the weights of the last one",
            RuntimeWarning,
            stacklevel=3,
        )
    else:
        try:
            checkpoint.restore(model, checkpoint.read(checkpoints.best)[0], optimizer=False)
        except checkpoint.Damaged as error:
            warnings.warn(
                f"CHECKPOINT DAMAGED: {error}. The model holds the weights of epoch {len(rows)} instead of those of the best, {best}",
                RuntimeWarning,
                stacklevel=3,
            )
    if checkpoints.writes and not run.model.exists():
        save_model(model, run.model)
    return History(rows, best, sum(row["seconds"] for row in rows))


def save_model(model: keras.Model, path) -> None:
    """Write `model` as .keras atomically, without optimiser and loss: it loads anywhere, and takes a third of the space."""
    optimizer, compiled = model.optimizer, model.compiled
    model.optimizer, model.compiled = None, False
    try:
        with atomic.replacing(path) as part:
            model.save(part)
    finally:
        model.optimizer, model.compiled = optimizer, compiled
