"""Inception-ResNet v2, as keras.applications publishes it; images are scaled to [-1, 1].

The one size below is what Keras printed in public download logs; no log shows the other. Licence: of the authors' release for
TensorFlow. The accuracies are those of the documentation of keras.applications, from memory, as is
the licence. timm names its files by no checksum.
"""

from __future__ import annotations

from zoo.weights.publishers import HALF, KERNELS, pair
from zoo.weights.record import Record

RECORDS: tuple[Record, ...] = pair(
    "inception_resnet_v2",
    "inception_resnet_v2/inception_resnet_v2",
    end=KERNELS,
    size=(299, 299),
    **HALF,
    licence="Apache-2.0",
    top1=0.803,
    top5=0.953,
    full=("e693bd0210a403b3192acc6073ad2e96", None, 55_873_736),
    notop=("d19885ff4a710c122648d3b5c3b684e4", 219_055_592, 54_336_736),
)
