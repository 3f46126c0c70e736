"""Inception v3, as keras.applications and torchvision publish it; images are scaled to [-1, 1].

Sizes of the files of Keras are those that it printed in public download logs. The file of torchvision also holds the auxiliary
classifier, which is not read; its size is stated only to a kilobyte. Licences: of the authors' release for TensorFlow, and
torchvision's own. The accuracies of keras.applications are those of its documentation, from memory; so is the licence of its
files.
"""

from __future__ import annotations

from zoo.weights.publishers import HALF, KERNELS, pair, torchvision
from zoo.weights.record import Record

RECORDS: tuple[Record, ...] = (
    *pair(
        "inception_v3_keras",
        "inception_v3/inception_v3",
        end=KERNELS,
        size=(299, 299),
        **HALF,
        licence="Apache-2.0",
        top1=0.779,
        top5=0.937,
        full=("9a0d58056eeedaa3f26cb7ebd46da564", 96_112_376, 23_851_784),
        notop=("bcbd6486424b2319ff4ef7d526e38f63", 87_910_968, 21_802_784),
    ),
    torchvision(
        "inception_v3",
        "inception_v3_google-0cc3c7bd",
        parameters=27_197_488,
        size=(299, 299),
        **HALF,
        crop=299 / 342,
        top1=0.77294,
        top5=0.9345,
        source="https://docs.pytorch.org/vision/stable/models/inception.html",
    ),
)
