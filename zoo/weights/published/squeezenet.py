"""SqueezeNet 1.1 without its head, converted from the authors' release for Keras in 2016, and torchvision's two networks.

The Keras file holds numbers trained by Caffe: BGR images minus the ImageNet mean, with no scaling; mean and std below are written for RGB.
Its repository states no accuracy. Its licence is that of the repository.
"""

from __future__ import annotations

from zoo.weights.publishers import CAFFE, torchvision
from zoo.weights.record import APPLICATIONS_H5, Record

_PAGE = "https://docs.pytorch.org/vision/stable/models/squeezenet.html"

RECORDS: tuple[Record, ...] = (
    Record(
        models=("squeezenet1_1_keras",),
        tag="imagenet",
        url="https://raw.githubusercontent.com/DeepCognition/keras-squeezenet/a73d4339aa4d37c51a0b3ba044bed55477abec73/"
        "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5",
        digest="sha256:17154246284f555591549ac2c83e127abfbf4307dc4b0060fdaa2931d0fa38da",
        format=APPLICATIONS_H5,
        licence="MIT",
        parameters=722_496,
        bytes=3_002_560,
        size=(227, 227),
        **CAFFE,
        crop=1.0,
        top=False,
        source="https://github.com/DeepCognition/keras-squeezenet",
    ),
    torchvision("squeezenet1_0", "squeezenet1_0-b66bff10", parameters=1_248_424, top1=0.58092, top5=0.80420, source=_PAGE),
    torchvision("squeezenet1_1", "squeezenet1_1-b8a52dc0", parameters=1_235_496, top1=0.58178, top5=0.80624, source=_PAGE),
)
