"""LeNet-5's output layer: how far is the code of this picture from the drawn code of every class?"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

DIGITS = """
..###.. ...#... ..###.. .#####. ....##. ####### ..###.. ####### ..###.. ..###..
.#...#. ..##... .#...#. .....#. ...###. #...... .#...#. #.....# .#...#. .#...#.
#.....# .#.#... #.....# ....#.. ...#.#. #...... #...... ......# #.....# #.....#
#.....# #..#... ......# ...#... ..#..#. #...... #...... .....#. #.....# #.....#
#.....# ...#... .....#. ..###.. ..#..#. #.###.. #...... .....#. .#...#. #.....#
#.....# ...#... ....#.. .....#. .#...#. ##...#. #.###.. ....#.. ..###.. .#...##
#.....# ...#... ...#... ......# .#...#. ......# ##...#. ....#.. .#...#. ..###.#
#.....# ...#... ..#.... ......# #....#. ......# #.....# ...#... #.....# ......#
#.....# ...#... .#..... ......# ####### ......# #.....# ...#... #.....# ......#
#.....# ...#... #...... #.....# .....#. #.....# #.....# ..#.... #.....# #.....#
.#...#. ...#... #...... .#...#. .....#. .#...#. .#...#. ..#.... .#...#. .#...#.
..###.. .#####. ####### ..###.. .....#. ..###.. ..###.. ..#.... ..###.. ..###..
"""
"""Ten digits of 12 rows by 7 columns; ours, because the paper prints its codes only as a picture (figure 3)."""


def codes(classes: int, width: int) -> np.ndarray:
    """(classes, width) of -1 and 1: the drawn digits for 10 classes of width 84 = 7 * 12, else random codes of a fixed seed.

    LeCun et al. 1998, section II.B: drawn codes make similar characters similar; random ones keep the classes apart.
    """
    if (classes, width) == (10, 84):
        rows = [line.split() for line in DIGITS.split("\n") if line]
        drawn = ["".join(row[digit] for row in rows) for digit in range(10)]
        return np.array([[1.0 if pixel == "#" else -1.0 for pixel in digit] for digit in drawn], "float32")
    return np.random.default_rng(1998).choice(np.array([-1.0, 1.0], np.float32), (classes, width))


@keras.saving.register_keras_serializable(package="zoo")
class RadialBasis(keras.Layer):
    """(b, d) -> (b, units): minus the squared Euclidean distance to the code of every class, so that higher is better.

    The paper's penalty y_i (equation 7) has the other sign; its loss (equation 9, without the rubbish class) is exactly
    softmax cross-entropy on these outputs. The codes are fixed: a weight that is saved and never trained.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        table = codes(self.units, input_shape[-1])
        shape = table.shape
        self.codes = self.add_weight(
            shape=shape, initializer=lambda shape, dtype: ops.convert_to_tensor(table, dtype=dtype), trainable=False, name="codes"
        )

    def call(self, x):
        return -ops.sum(ops.square(x[:, None, :] - self.codes), axis=-1)  # (b, 1, d) - (units, d)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units}
