"""How a model is trained, as data: one frozen record that is checked when it is written, not an hour later."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

import keras

from zoo import registry
from zoo.losses import BinaryCrossentropy, Crossentropy, SparseCrossentropy
from zoo.train import limits, optimizers
from zoo.train.limits import CRITERIA, MONITORS, OPTIMIZERS, PRECISIONS
from zoo.train.optimizers import NOT_DECAYED

__all__ = ["CRITERIA", "MONITORS", "NOT_DECAYED", "OPTIMIZERS", "PRECISIONS", "Recipe"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a classifier is trained. A wrong value raises ValueError that names the field and the legal values.

    epochs:              whole number >= 1.
    batch_size:          images that the device sees at once, >= 1.
    accumulation:        batches whose gradients are averaged into one update, >= 1: a larger batch for the same memory. Batch
                         normalisation still sees the small ones (`fit` warns). Keras' gradient_accumulation_steps.
    optimizer:           "sgd", "adam", "adamw", "lion", "rmsprop" (rho 0.9 and epsilon 0.001, as EfficientNet) or "lamb".
    momentum:            in [0, 1): of "sgd" and "rmsprop"; the first beta of the others.
    nesterov:            Nesterov's form of the momentum of "sgd", or the plain one.
    learning_rate:       the highest rate of the schedule, > 0.
    reference_batch:     None, or the number of images per update for which `learning_rate` was found. The rate then grows in proportion
                         to batch_size * accumulation (Goyal et al. 2017, arXiv:1706.02677, section 2.1; DeiT and ConvNeXt do so with
                         AdamW too), for "lamb" with its square root (You et al. 2020, arXiv:1904.00962, section 4.3).
    schedule:            "constant", "cosine", "one_cycle", "poly" or "step"; see `schedules.Schedule`.
    warmup:              the fraction of all updates that climbs, in [0, 1).
    final_rate:          where "cosine" and "poly" end, as a fraction of the highest rate, in [0, 1).
    power:               of "poly", > 0.
    milestones:          of "step": fractions of the training, such as (0.33, 0.67), or one fraction after each of which the rate falls.
    factor:              of "step": what the rate is multiplied with at a milestone, in (0, 1).
    weight_decay:        >= 0, decoupled: each update also subtracts rate * weight_decay * weight. Biases, normalisation parameters,
                         scales, tokens, embeddings and every other scalar or vector are left alone. Not for "adam": say "adamw".
    layer_decay:         in (0, 1]: each block's rate and decay are this times those of the block above; see `layer_decay`.
    criterion:           "cross_entropy" of a softmax, or "binary_cross_entropy": one yes or no per class.
    label_smoothing:     in [0, 1).
    drop_path:           None for the model's own, or the rate of stochastic depth in [0, 1). It belongs to the model when it is
                         *built*: `zoo.classifier(..., changes=recipe.changes("convnext_tiny"))`; `fit` refuses a model without it.
    flip:                mirror training pictures left and right with probability 1/2.
    crop:                largest share of a training picture's area that is cut away before it is enlarged again, in [0, 1).
    colour:              largest relative change of brightness, contrast and saturation, in [0, 1].
    random_augment:      strength of random_augment_layers random operations in [0, 1] (a tenth of the papers' magnitude); 0 is off.
    random_augment_layers: operations per picture, >= 1.
    erasing:             probability of painting over a rectangle, in [0, 1].
    mixup:               alpha of the Beta distribution of mixup, >= 0; 0 is off. With cutmix each batch tosses a coin for one of them.
    cutmix:              the same of CutMix.
    mix_off_epochs:      number of last epochs without mixup and cutmix, >= 0.
    repeats:             repeated augmentation: differently changed copies of a picture in a row, >= 1; an epoch keeps its length and
                         sees 1/repeats of the pictures.
    precision:           "float32", "mixed_bfloat16" or "mixed_float16". A model takes its precision when it is *built*, so build it
                         inside `with recipe.building():`; `fit` refuses a model of another precision.
    jit:                 "auto" (Keras' rule: off on a CPU with TensorFlow, where XLA is slower; on with JAX), True or False.
    steps_per_execution: updates per call into the compiled loop, >= 1; lowered to a divisor of the steps of an epoch. Not on torch.
    ema:                 None, or the momentum in (0, 1) of a moving average of the weights, which is then what is validated and kept
                         as best. Batch statistics are those of the raw weights. It advances with each batch, accumulated or not.
    clip_norm:           None, or the largest global gradient norm, > 0.
    patience:            None, or stop after that many epochs without a better one.
    monitor:             what "better" means: "val_accuracy" (ties: lower val_loss) or "val_loss"; of detectors "val_loss", or "val_AP" or
                         "val_AP50", which a callback has to put in the logs.
    seed:                of the weights (`building`), the order and the augmentation of the images.

    The fields from flip to repeats change training pictures and are applied by `zoo.data.Pipeline.changed`, keyed by seed and epoch.
    """

    epochs: int = 20
    batch_size: int = 32
    accumulation: int = 1
    optimizer: str = "adamw"
    momentum: float = 0.9
    nesterov: bool = True
    learning_rate: float = 1e-3
    reference_batch: int | None = None
    schedule: str = "cosine"
    warmup: float = 0.1
    final_rate: float = 0.0
    power: float = 0.9
    milestones: tuple[float, ...] | float = (1 / 3, 2 / 3)
    factor: float = 0.1
    weight_decay: float = 0.01
    layer_decay: float = 1.0
    criterion: str = "cross_entropy"
    label_smoothing: float = 0.0
    drop_path: float | None = None
    flip: bool = False
    crop: float = 0.0
    colour: float = 0.0
    random_augment: float = 0.0
    random_augment_layers: int = 2
    erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    mix_off_epochs: int = 0
    repeats: int = 1
    precision: str = "float32"
    jit: bool | str = "auto"
    steps_per_execution: int = 1
    ema: float | None = None
    clip_norm: float | None = None
    patience: int | None = None
    monitor: str = "val_accuracy"
    seed: int = 0

    def __post_init__(self):
        if isinstance(self.milestones, list):  # as JSON gives them back
            object.__setattr__(self, "milestones", tuple(self.milestones))
        limits.check(self)

    @property
    def peak(self) -> float:
        """The highest rate, scaled from `reference_batch` to the images of one update."""
        if self.reference_batch is None:
            return self.learning_rate
        ratio = self.batch_size * self.accumulation / self.reference_batch
        return self.learning_rate * (math.sqrt(ratio) if self.optimizer == "lamb" else ratio)

    @property
    def mixes(self) -> bool:
        """Whether labels of a training batch are rows of probabilities."""
        return bool(self.mixup or self.cutmix)

    def pictures(self) -> dict[str, float | int | bool]:
        """The fields that change training pictures and are switched on, by name; {} when the pictures stay as the data gives them."""
        switches = ("flip", "crop", "colour", "random_augment", "erasing", "mixup", "cutmix")
        asked = {name: getattr(self, name) for name in switches if getattr(self, name)}
        if self.random_augment:
            asked["random_augment_layers"] = self.random_augment_layers
        return asked | ({"repeats": self.repeats} if self.repeats > 1 else {})

    def optimizer_for(self, steps: int, model: keras.Model | None = None) -> keras.optimizers.Optimizer:
        """A fresh optimiser whose schedule spans `steps` batches in all, which are steps // accumulation updates.

        With `model`, scalars and vectors are kept from weight decay whatever their name; without it only by name (`NOT_DECAYED`).
        Raises ValueError for a layer_decay without a model.
        """
        return optimizers.make(self, steps, model)

    def constant(self) -> Recipe:
        """The same recipe without schedule, accumulation and ema: its optimiser's rate is a number that can be set, as the finder does."""
        return dataclasses.replace(self, schedule="constant", warmup=0.0, final_rate=0.0, reference_batch=None, accumulation=1, ema=None)

    def loss(self) -> keras.losses.Loss:
        """The loss of this recipe, of labels (b,), or rows of probabilities (b, classes) where it mixes, and logits (b, classes)."""
        if self.criterion == "binary_cross_entropy":
            return BinaryCrossentropy(self.label_smoothing)
        return Crossentropy(self.label_smoothing) if self.mixes else SparseCrossentropy(self.label_smoothing)

    def changes(self, variant: str) -> dict[str, float]:
        """What differs in the row `variant` when it is built by this recipe: {} or its rate of stochastic depth.

        Raises ValueError for a drop_path where the family has no stochastic depth.
        """
        if self.drop_path is None:
            return {}
        names = {field.name for field in dataclasses.fields(registry.row(variant)[1])}
        for name in ("drop_path", "stochastic_depth"):
            if name in names:
                return {name: self.drop_path}
        raise ValueError(f"drop_path={self.drop_path} asks for stochastic depth, which {variant} does not have; say drop_path=None")

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
