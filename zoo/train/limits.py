"""What the fields of a recipe may be, alone and together: the table behind the errors."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import TYPE_CHECKING

from zoo.train.schedules import KINDS

if TYPE_CHECKING:
    from zoo.train.recipe import Recipe

OPTIMIZERS = ("sgd", "adam", "adamw", "lion", "rmsprop", "lamb")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
CLASSIFIER_MONITORS = ("val_accuracy", "val_loss")
MONITORS = (*CLASSIFIER_MONITORS, "val_AP", "val_AP50")
CRITERIA = ("cross_entropy", "binary_cross_entropy")

OPTIONAL = ("reference_batch", "drop_path", "ema", "clip_norm", "patience")
"""Fields that may be None."""

WHOLE = {
    ("epochs", "batch_size", "accumulation", "reference_batch", "random_augment_layers", "repeats", "steps_per_execution", "patience"): 1,
    ("mix_off_epochs", "seed"): 0,
}
"""Whole numbers, and the smallest."""

CHOICES = {"optimizer": OPTIMIZERS, "schedule": KINDS, "criterion": CRITERIA, "precision": PRECISIONS, "monitor": MONITORS}

REAL: dict[tuple[str, ...], tuple[str, Callable[[float], bool]]] = {
    ("learning_rate", "power"): ("must be a finite number > 0", lambda x: x > 0),
    ("warmup",): ("is a fraction of all steps and must lie in [0, 1)", lambda x: 0 <= x < 1),
    ("weight_decay", "mixup", "cutmix"): ("must be a finite number >= 0", lambda x: x >= 0),
    ("momentum", "final_rate", "label_smoothing", "crop"): ("must lie in [0, 1)", lambda x: 0 <= x < 1),
    ("drop_path",): ("must be None or a rate in [0, 1)", lambda x: 0 <= x < 1),
    ("factor",): ("must lie inside (0, 1)", lambda x: 0 < x < 1),
    ("layer_decay",): ("must lie in (0, 1]", lambda x: 0 < x <= 1),
    ("colour", "random_augment", "erasing"): ("must lie in [0, 1]", lambda x: 0 <= x <= 1),
    ("ema",): ("must be None or a momentum inside (0, 1), for example 0.99", lambda x: 0 < x < 1),
    ("clip_norm",): ("must be None or a finite number > 0", lambda x: x > 0),
}
"""Numbers: what is wanted, and whether a value fits."""


def check(recipe: Recipe) -> None:
    """Raise ValueError for the first field that is wrong, with the legal values; then for fields that contradict each other."""
    for names, low in WHOLE.items():
        for name in names:
            _whole(recipe, name, low)
    for name, legal in CHOICES.items():
        if getattr(recipe, name) not in legal:
            raise ValueError(f"{name} must be one of {', '.join(legal)}, got {getattr(recipe, name)!r}")
    if recipe.jit not in ("auto", True, False):
        raise ValueError(f"jit must be 'auto', True or False, got {recipe.jit!r}")
    for names, (wanted, fits) in REAL.items():
        for name in names:
            _real(recipe, name, wanted, fits)
    for name in ("nesterov", "flip"):
        if not isinstance(getattr(recipe, name), bool):
            raise ValueError(f"{name} must be True or False, got {getattr(recipe, name)!r}")
    _milestones(recipe.milestones)
    _agree(recipe)


def _agree(recipe: Recipe) -> None:
    if recipe.optimizer == "adam" and recipe.weight_decay:
        raise ValueError(f"adam takes no weight decay, got weight_decay={recipe.weight_decay}; say optimizer='adamw', or weight_decay=0")
    if recipe.final_rate and recipe.schedule not in ("cosine", "poly"):
        raise ValueError(f"final_rate={recipe.final_rate} goes with schedule 'cosine' or 'poly', got {recipe.schedule!r}; leave it out")
    if recipe.mix_off_epochs > recipe.epochs:
        raise ValueError(f"mix_off_epochs={recipe.mix_off_epochs} is more than the {recipe.epochs} epochs there are")


def _milestones(given) -> None:
    parts = list(given) if isinstance(given, tuple) else [given]
    inside = all(isinstance(part, numbers.Real) and not isinstance(part, bool) and 0 < float(part) < 1 for part in parts)
    if not parts or not inside or parts != sorted(parts):
        raise ValueError(f"milestones must be fractions of the training in (0, 1), in rising order, or one such fraction, got {given!r}")


def _whole(recipe: Recipe, name: str, low: int) -> None:
    value = getattr(recipe, name)
    if value is None and name in OPTIONAL:
        return
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < low:
        raise ValueError(f"{name} must be a whole number >= {low}, got {value!r}")


def _real(recipe: Recipe, name: str, wanted: str, fits: Callable[[float], bool]) -> None:
    value = getattr(recipe, name)
    if value is None and name in OPTIONAL:
        return
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value) or not fits(float(value)):
        raise ValueError(f"{name} {wanted}, got {value!r}")
