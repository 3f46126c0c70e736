"""How a model is trained, as data: one frozen record that is checked when it is written, not an hour later."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import numbers
from collections.abc import Iterator
from dataclasses import dataclass

import keras

from zoo.losses import SparseCrossentropy
from zoo.train.schedules import KINDS, Schedule

OPTIMIZERS = ("sgd", "adam", "adamw", "lion")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
MONITORS = ("val_accuracy", "val_loss")
NOT_DECAYED = (r"(bias|beta|gamma|alpha|scale|token|embedding)(:\d+)?$",)
"""Names of variables that weight decay leaves alone, besides every scalar and vector. TensorFlow's optimiser adds ":0" to them."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a classifier is trained. A wrong value raises ValueError that names the field and the legal values.

    epochs, batch_size:  whole numbers >= 1.
    optimizer:           "sgd" (Nesterov momentum 0.9), "adam", "adamw" or "lion".
    learning_rate:       the highest rate of the schedule, > 0.
    schedule, warmup:    "constant", "cosine" or "one_cycle", and the fraction of all updates that climbs; see `schedules.Schedule`.
    weight_decay:        >= 0, decoupled: each update also subtracts rate * weight_decay * weight. Biases, normalisation parameters,
                         scales, tokens, embeddings and every other scalar or vector are left alone. Not for "adam": say "adamw".
    label_smoothing:     in [0, 1).
    precision:           "float32", "mixed_bfloat16" or "mixed_float16". A model takes its precision when it is *built*, so build it
                         inside `with recipe.building():`; `fit` refuses a model of another precision.
    jit:                 "auto" (Keras' rule: off on a CPU with TensorFlow, where XLA is slower; on with JAX), True or False.
    steps_per_execution: updates per call into the compiled loop, >= 1; lowered to a divisor of the steps of an epoch. Not on torch.
    ema:                 None, or the momentum in (0, 1) of a moving average of the weights, which is then what is validated and kept
                         as best. Batch statistics are those of the raw weights.
    clip_norm:           None, or the largest global gradient norm, > 0.
    patience:            None, or stop after that many epochs without a better one.
    monitor:             what "better" means: "val_accuracy" (ties: lower val_loss) or "val_loss".
    seed:                of the weights (`building`), the order and the augmentation of the images.
    """

    epochs: int = 20
    batch_size: int = 32
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    warmup: float = 0.1
    weight_decay: float = 0.01
    label_smoothing: float = 0.0
    precision: str = "float32"
    jit: bool | str = "auto"
    steps_per_execution: int = 1
    ema: float | None = None
    clip_norm: float | None = None
    patience: int | None = None
    monitor: str = "val_accuracy"
    seed: int = 0

    def __post_init__(self):
        for name, low in {"epochs": 1, "batch_size": 1, "steps_per_execution": 1, "seed": 0}.items():
            self._whole(name, low)
        if self.patience is not None:
            self._whole("patience", 1)
        for name, legal in {"optimizer": OPTIMIZERS, "schedule": KINDS, "precision": PRECISIONS, "monitor": MONITORS}.items():
            if getattr(self, name) not in legal:
                raise ValueError(f"{name} must be one of {', '.join(legal)}, got {getattr(self, name)!r}")
        if self.jit not in ("auto", True, False):
            raise ValueError(f"jit must be 'auto', True or False, got {self.jit!r}")
        self._real("learning_rate", "must be a finite number > 0", lambda x: x > 0)
        self._real("warmup", "is a fraction of all steps and must lie in [0, 1)", lambda x: 0 <= x < 1)
        self._real("weight_decay", "must be a finite number >= 0", lambda x: x >= 0)
        self._real("label_smoothing", "must lie in [0, 1)", lambda x: 0 <= x < 1)
        if self.ema is not None:
            self._real("ema", "must be None or a momentum inside (0, 1), for example 0.99", lambda x: 0 < x < 1)
        if self.clip_norm is not None:
            self._real("clip_norm", "must be None or a finite number > 0", lambda x: x > 0)
        if self.optimizer == "adam" and self.weight_decay:
            raise ValueError(f"adam takes no weight decay, got weight_decay={self.weight_decay}; say optimizer='adamw', or weight_decay=0")

    def optimizer_for(self, steps: int, model: keras.Model | None = None) -> keras.optimizers.Optimizer:
        """A fresh optimiser whose schedule spans `steps` updates in all.

        With `model`, scalars and vectors are kept from weight decay whatever their name; without it only by name (`NOT_DECAYED`).
        """
        rate: float | Schedule = self.learning_rate
        if self.schedule != "constant" or self.warmup:
            rate = Schedule(self.schedule, self.learning_rate, steps, self.warmup)
        return self._optimizer(rate, model)

    def constant(self) -> Recipe:
        """The same recipe without schedule and ema: its optimiser's rate is a number that can be set, as the finder does."""
        return dataclasses.replace(self, schedule="constant", warmup=0.0, ema=None)

    def loss(self) -> keras.losses.Loss:
        """The loss of this recipe: cross-entropy of integer labels (b,) and logits (b, classes)."""
        return SparseCrossentropy(self.label_smoothing)

    @contextlib.contextmanager
    def policy(self) -> Iterator[None]:
        """Keras' global precision policy is `precision` inside the block, and what it was before afterwards."""
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.precision)
        try:
            yield
        finally:
            keras.config.set_dtype_policy(before)

    @contextlib.contextmanager
    def building(self) -> Iterator[None]:
        """Build a model in this block: it gets the recipe's precision, and initial weights that follow from its seed."""
        with self.policy():
            keras.utils.set_random_seed(self.seed)
            yield

    def _optimizer(self, rate, model) -> keras.optimizers.Optimizer:
        common = {"learning_rate": rate, "global_clipnorm": self.clip_norm, "weight_decay": self.weight_decay or None}
        if self.ema is not None:
            common |= {"use_ema": True, "ema_momentum": self.ema}
        makers = {
            "sgd": keras.optimizers.SGD,
            "adam": keras.optimizers.Adam,
            "adamw": keras.optimizers.AdamW,
            "lion": keras.optimizers.Lion,
        }
        if self.optimizer == "sgd":
            common |= {"momentum": 0.9, "nesterov": True}
        if self.optimizer == "adamw":
            common["weight_decay"] = self.weight_decay  # Keras refuses None here
        optimizer = makers[self.optimizer](**common)
        if self.weight_decay:
            flat = [] if model is None else [variable for variable in model.trainable_variables if len(variable.shape) <= 1]
            optimizer.exclude_from_weight_decay(var_list=flat, var_names=list(NOT_DECAYED))
        if self.precision == "mixed_float16":  # Keras would wrap it by the policy of the model object, which a loaded model has lost
            return keras.optimizers.LossScaleOptimizer(optimizer)
        return optimizer

    def _whole(self, name: str, low: int) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < low:
            raise ValueError(f"{name} must be a whole number >= {low}, got {value!r}")

    def _real(self, name: str, wanted: str, legal) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value) or not legal(value):
            raise ValueError(f"{name} {wanted}, got {value!r}")
