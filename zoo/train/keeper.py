"""At the end of each epoch: write the row, keep the best, write the checkpoint, and stop when nothing gets better."""

from __future__ import annotations

import csv
import io
import math
import time
import warnings
from pathlib import Path

import keras
import numpy as np
from keras import ops

from zoo import atomic
from zoo.train import checkpoint
from zoo.train.average import averaged
from zoo.train.recipe import Recipe


class Keeper(keras.callbacks.Callback):
    """Owns the rows of the history; what is best and when to stop follow from them, so a resumed run cannot forget either.

    rows:     of the epochs done before this process; extended in place.
    contract: what a later resume must agree with.
    others:   the user's callbacks; those with `state()` and `load_state(state)` are kept in the checkpoint too.
    """

    def __init__(self, recipe: Recipe, checkpoints: checkpoint.Checkpoints, history: Path, rows: list[dict], contract: dict, others=()):
        super().__init__()
        self.recipe, self.checkpoints, self.history, self.rows, self.contract = recipe, checkpoints, history, rows, contract
        self.others = [other for other in others if hasattr(other, "state") and hasattr(other, "load_state")]
        self._started, self._epoch = 0.0, 0

    def save(self, finished: bool = False) -> None:
        """Write the resumable checkpoint after the epochs in `rows`."""
        state = {"rows": self.rows, "finished": finished, "contract": self.contract, "callbacks": [other.state() for other in self.others]}
        self.checkpoints.save_last(len(self.rows), checkpoint.snapshot(self.model), state)

    def on_epoch_begin(self, epoch, logs=None):
        self._started, self._epoch = time.perf_counter(), epoch

    def on_train_batch_begin(self, batch, logs=None):
        # On torch, Keras' dropout draws from torch's global generator, which no variable holds (and every new data loader moves),
        # so it is keyed by the epoch, as the order of the images is.
        if batch == 0 and keras.backend.backend() == "torch":
            keras.utils.set_random_seed(int(np.random.SeedSequence([self.recipe.seed, self._epoch]).generate_state(1)[0]))

    def on_epoch_end(self, epoch, logs=None):
        rate = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        self.rows.append({"epoch": epoch + 1, **numbers, "learning_rate": rate, "seconds": round(time.perf_counter() - self._started, 3)})
        if self.checkpoints.writes:
            write_history(self.history, self.rows)
        best = best_epoch(self.rows, self.recipe.monitor)
        if best == epoch + 1:
            with averaged(self.model):
                self.checkpoints.save_best(epoch + 1, checkpoint.snapshot(self.model, optimizer=False))
        if self.recipe.patience is not None and epoch + 1 - (best or 0) >= self.recipe.patience:
            self.model.stop_training = True
        self.save(finished=bool(self.model.stop_training) or epoch + 1 >= self.recipe.epochs)


def best_epoch(rows: list[dict], monitor: str) -> int | None:
    """Number (from 1) of the best epoch: the first of equals. A row whose monitored value is not finite is never best."""
    scored = [(_score(row, monitor), -row["epoch"]) for row in rows if math.isfinite(row.get(monitor, math.nan))]
    return -max(scored)[1] if scored else None


def write_history(path: Path, rows: list[dict]) -> None:
    """The rows as CSV, replaced atomically: no reader ever sees half a row."""
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = csv.DictWriter(text, names, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    atomic.write(path, text.getvalue())


def repair_history(path: Path, rows: list[dict], resumed: bool) -> None:
    """Make the file agree with the checkpoint's rows: a torn row, or a row whose epoch is done again, goes; a missing one comes back.

    A file that holds epochs where nothing can be `resumed` is not overwritten: it is set aside under a new name, with a warning.
    """
    if rows:
        write_history(path, rows)
    elif resumed:
        path.unlink(missing_ok=True)  # killed in the first epoch, which is done again
    elif path.exists() and path.read_text(errors="replace").count("\n") > 1:
        aside = next(name for number in range(1, 10_000) if not (name := path.with_name(f"{path.stem}.{number}{path.suffix}")).exists())
        path.replace(aside)
        message = f"{path} holds epochs of which no checkpoint is left; it is kept as {aside.name} and training starts at epoch 1"
        warnings.warn(message, RuntimeWarning, stacklevel=2)


def _score(row: dict, monitor: str) -> tuple[float, float]:
    loss = row.get("val_loss", math.inf)
    loss = -loss if math.isfinite(loss) else -math.inf
    return (loss, 0.0) if monitor == "val_loss" else (row[monitor], loss)
