"""Inception v3, as keras.applications and torchvision publish it; images are scaled to [-1, 1].

Sizes of the files of Keras are those that it printed in public download logs. The file of torchvision also holds the auxiliary
classifier, which is not read; its size is stated only to a kilobyte. Licences: of the authors' release for TensorFlow, and
torchvision's own. The accuracies of keras.applications are those of its documentation, from memory.
"""

from __future__ import annotations

from zoo.weights.applications import pair
from zoo.weights.record import TORCH_PICKLE, Record

RECORDS: tuple[Record, ...] = (
    *pair(
        "inception_v3_keras",
        "inception_v3/inception_v3",
        end="_weights_tf_dim_ordering_tf_kernels",
        size=(299, 299),
        mean=(127.5,) * 3,
        std=(127.5,) * 3,
        licence="Apache-2.0",
        top1=0.779,
        top5=0.937,
        full=("9a0d58056eeedaa3f26cb7ebd46da564", 96_112_376, 23_851_784),
        notop=("bcbd6486424b2319ff4ef7d526e38f63", 87_910_968, 21_802_784),
    ),
    Record(
        models=("inception_v3",),
        tag="imagenet1k_v1",
        url="https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
        digest="sha256:0cc3c7bd",
        format=TORCH_PICKLE,
        licence="BSD-3-Clause",
        parameters=27_197_488,
        size=(299, 299),
        mean=(127.5,) * 3,
        std=(127.5,) * 3,
        crop=299 / 342,
        top1=0.77294,
        top5=0.9345,
        source="https://docs.pytorch.org/vision/stable/models/inception.html",
    ),
)
