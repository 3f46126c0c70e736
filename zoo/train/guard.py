"""Stop a training whose weights are no longer numbers, while a good checkpoint still exists.

The loss is not a witness: on a CPU, TensorFlow's fused convolution + ReLU turns NaN into 0, so a network whose kernels are all NaN
predicts calmly and its loss stays finite (`keras.callbacks.TerminateOnNaN` never fires). The weights themselves are looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
import numpy as np
from keras import ops


class NotFinite(RuntimeError):
    """Weights or loss became NaN or infinite during training."""


def first_nonfinite(model: keras.Model) -> str | None:
    """Path of the first weight of `model` that holds NaN or infinity ("stage1_conv/kernel"), or None."""
    weights = [weight for weight in model.weights if keras.backend.is_float_dtype(weight.dtype)]
    if not weights:
        return None
    fine = ops.convert_to_numpy(ops.stack([ops.all(ops.isfinite(ops.convert_to_tensor(weight))) for weight in weights]))
    return None if fine.all() else weights[int(np.argmin(fine))].path


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of TensorFlow, JAX, torch or Python says that memory ran out; told by name, so no backend is imported."""
    names = {"ResourceExhaustedError", "OutOfMemoryError", "MemoryError"}
    text = str(error).lower()
    return type(error).__name__ in names or "resource_exhausted" in text or "out of memory" in text


def fitting_batch(step: Callable[[int], object], batch_size: int) -> int | None:
    """The largest power of two below `batch_size` with which `step(size)` does not run out of memory, found by trying.

    None when not even 1 fits, or when a step fails for another reason, so that nothing is known.
    """
    size = 1 << max(batch_size - 1, 0).bit_length() >> 1
    while size:
        try:
            step(size)
            return size
        except Exception as error:
            if not is_out_of_memory(error):
                return None
        size //= 2
    return None


class FiniteGuard(keras.callbacks.Callback):
    """Looks at weights and loss every `every` updates and at the end of each epoch; raises NotFinite.

    last_good: function without arguments that says where the last good checkpoint is, for the message.
    """

    def __init__(self, every: int = 100, last_good=lambda: "none was written"):
        super().__init__()
        self.every, self.last_good = every, last_good
        self._epoch = self._looked = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._looked = epoch, 0

    def on_train_batch_end(self, batch, logs=None):
        if batch + 1 - self._looked >= self.every:
            self._looked = batch + 1
            self._look(f"epoch {self._epoch + 1}, step {batch + 1}", logs)

    def on_epoch_end(self, epoch, logs=None):
        self._look(f"end of epoch {epoch + 1}", logs)

    def _look(self, where: str, logs) -> None:
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()  # on JAX the weights live in the loop until they are asked for
        loss = float((logs or {}).get("loss", 0.0))
        path = first_nonfinite(self.model)
        if path is not None:
            raise NotFinite(
                f"{where}: weight {path!r} holds NaN or infinity (loss {loss:g}). Nothing was overwritten; "
                f"last good checkpoint: {self.last_good()}. "
                "Likely causes: a learning rate too high (zoo.train.find_learning_rate, or clip_norm=1.0), a NaN in the data, or "
                "mixed_float16 overflow (use mixed_bfloat16). A new recipe needs a new run folder."
            )
        if not math.isfinite(loss):
            raise NotFinite(
                f"{where}: the loss is {loss} while all weights are finite. "
                f"Last good checkpoint: {self.last_good()}. "
                "Likely causes: a label outside [0, classes) or a NaN image in a batch after the first (check the data), "
                "or overflowing logits."
            )
