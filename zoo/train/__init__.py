"""Recipe, fit and the learning-rate finder, over Keras' own compile and fit."""

from zoo.train.check import check_batch, check_labels
from zoo.train.fit import History, fit
from zoo.train.guard import NotFinite, first_nonfinite
from zoo.train.lr_finder import Sweep, find_learning_rate
from zoo.train.recipe import Recipe
from zoo.train.tune import Tuned, tune

__all__ = [
    "History",
    "NotFinite",
    "Recipe",
    "Sweep",
    "Tuned",
    "check_batch",
    "check_labels",
    "find_learning_rate",
    "first_nonfinite",
    "fit",
    "tune",
]
