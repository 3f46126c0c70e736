"""Knowledge distillation: a small network learns from the labels and from all that a large one says about the wrong classes.

    recipe = Recipe(epochs=20)
    with recipe.building():
        student = zoo.classifier("small_cnn", classes=10)
    distil(teacher, student, data, recipe, Run.open("runs/student", recipe, name="student"))

The loss is (1 - alpha) * cross-entropy + alpha * T^2 * KL(softmax(teacher / T) || softmax(student / T)) (Hinton, Vinyals & Dean 2015,
arXiv:1503.02531, section 2). Keras' own `Distiller` and `LogitsDistillation` compute it; `zoo.train.fit` trains it and resumes.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from zoo.train.check import classes_of
from zoo.train.checkpoint import value_of
from zoo.train.fit import History, feeds, fit
from zoo.train.recipe import Recipe


class Pupil(keras.distillation.Distiller):
    """Keras' Distiller with the face of its student, so that `fit` checks images against the student, and saves the student alone."""

    @property
    def input_shape(self):
        return self.student.input_shape

    @property
    def output_shape(self):
        return self.student.output_shape

    def save(self, filepath, overwrite=True, **keywords):
        """Write the student."""
        self.student.save(filepath, overwrite=overwrite, **keywords)


class Terms(keras.callbacks.Callback):
    """Kept in the checkpoint: resuming with another temperature, alpha or teacher is refused."""

    def __init__(self, terms: dict):
        super().__init__()
        self.terms = terms

    def state(self) -> dict:
        return self.terms

    def load_state(self, state: dict) -> None:
        changed = [f"{name} was {state.get(name)!r}, now {value!r}" for name, value in self.terms.items() if state.get(name) != value]
        if changed:
            raise ValueError(
                f"the distillation was started differently: {'; '.join(changed)}. Resume it as it was, or use a new run folder"
            )


def distil(
    teacher: keras.Model,
    student: keras.Model,
    data: Any,
    recipe: Recipe,
    run: Any,
    *,
    temperature: float = 4.0,
    alpha: float = 0.7,
    callbacks=(),
    **keywords,
) -> History:
    """Train `student` on labels and on `teacher`; the rest is as in `zoo.train.fit`: best weights in the student, a resumable run.

    teacher:     returns logits (b, classes) for the very images of the student; it predicts only and does not change.
    temperature: T > 0, softens both distributions; 2 to 5 is usual. At 1 the teacher's probabilities are matched as they are.
    alpha:       share of the teacher in the loss, in (0, 1]; 1 uses no labels.
    keywords:    of `fit`: verbose, guard_every, and loss with metrics instead of the recipe's.

    The history has the columns "student_loss" (labels) and "distillation_loss" (with its T^2) besides "loss". `run.model` is the student;
    the checkpoints of a run hold the teacher too. Changes of the training images reach both, as they should (Beyer et al. 2022,
    arXiv:2106.05237, section 3.1).

    Raises ValueError for a temperature or alpha outside its range, for a teacher that returns probabilities or other classes, and for a
    run that was started with other terms or another teacher.
    """
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature must be a finite number > 0, for example 4, got {temperature!r}")
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha is the teacher's share and must lie in (0, 1], got {alpha!r}; without a teacher use zoo.train.fit")
    _check_teacher(teacher, student, data, recipe)
    terms = Terms({"temperature": float(temperature), "alpha": float(alpha), "teacher": _digest(teacher)})
    with _still(teacher):
        pupil = pupil_of(teacher, student, temperature, alpha)
        return fit(pupil, data, recipe, run, callbacks=[*callbacks, terms], **keywords)


def pupil_of(teacher: keras.Model, student: keras.Model, temperature: float = 4.0, alpha: float = 0.7) -> Pupil:
    """What `distil` trains, not compiled. It freezes the teacher."""
    return Pupil(
        teacher,
        student,
        # Said in full: by its name, Keras 3.15.1 finds the function instead of the class, and then compares raw logits without T^2.
        keras.distillation.LogitsDistillation(float(temperature), loss=keras.losses.KLDivergence()),
        student_loss_weight=1.0 - float(alpha),
        name=f"{student.name}_pupil",
        dtype="float32",  # or Keras would round the pixels to the policy's precision before the first layer sees them
    )


def _check_teacher(teacher, student, data, recipe: Recipe) -> None:
    images, _ = next(iter(feeds(data)[0].training(recipe.batch_size, recipe.seed, 0)))
    images = np.asarray(images)[:2]
    try:
        taught, learned = classes_of(teacher, images), student.output_shape[-1]
    except ValueError as error:
        raise ValueError(f"the teacher cannot teach: {error}") from error
    if taught != learned:
        raise ValueError(f"the teacher tells {taught} classes apart and the student {learned}; build the student with classes={taught}")


def _digest(model) -> str:
    sha = hashlib.sha256()
    for weight in model.weights:
        sha.update(np.ascontiguousarray(value_of(weight)).tobytes())
    return sha.hexdigest()


@contextlib.contextmanager
def _still(teacher: keras.Model) -> Iterator[None]:
    """Keras freezes the teacher for good; here it is afterwards as trainable as before."""
    before = [(layer, layer.trainable) for layer in teacher._flatten_layers()]
    try:
        yield
    finally:
        for layer, trainable in before:
            layer.trainable = trainable
