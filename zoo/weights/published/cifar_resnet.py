"""Idelbayev's ResNet-20 and ResNet-56, and the ResNet-8 of MLPerf Tiny: small enough for any machine, trained on CIFAR-10.

The accuracies of the first two are those stored in the files (the best on the test set). That of ResNet-8 is not stated beside
its file, so it is left out.
"""

from __future__ import annotations

from typing import Any

from zoo.weights.record import TORCH_PICKLE, WHOLE_MODEL_H5, Record

_RAW = "https://raw.githubusercontent.com"
_AKAMASTER = f"{_RAW}/akamaster/pytorch_resnet_cifar10/d5489e8995e81e91ce6b1d69dcc98ad579b0b153/pretrained_models"
_MLCOMMONS = f"{_RAW}/mlcommons/tiny/1afd2c9820f795965a6134facd0b4dfae41ef23f/benchmark/training/image_classification/trained_models"
_FACTS: dict[str, Any] = {
    "tag": "cifar10",
    "trained_on": "CIFAR-10, training split",
    "size": (32, 32),
    "crop": 1.0,
    "classes": 10,
    "class_list": "cifar10",
}
_TORCH: dict[str, Any] = {
    **_FACTS,
    "format": TORCH_PICKLE,
    "licence": "BSD-2-Clause",
    "source": "https://github.com/akamaster/pytorch_resnet_cifar10",
}

RECORDS: tuple[Record, ...] = (
    Record(
        models=("cifar_resnet20",),
        url=f"{_AKAMASTER}/resnet20-12fca82f.th",
        digest="sha256:12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8",
        bytes=1_099_231,
        parameters=271_098,
        top1=0.9178,
        **_TORCH,
    ),
    Record(
        models=("cifar_resnet56",),
        url=f"{_AKAMASTER}/resnet56-4bfd9763.th",
        digest="sha256:4bfd97631478d6b638d2764fd2baff3edb1d7d82252d54439343b6596b9b5367",
        bytes=3_471_733,
        parameters=857_082,
        top1=0.9362,
        **_TORCH,
    ),
    Record(
        models=("resnet8",),
        url=f"{_MLCOMMONS}/pretrainedResnet.h5",
        digest="sha256:5f938a8eea605438cc7360aa13c987bc6d7bd0c8d931b2917361ae7ae4eeda2f",
        bytes=1_116_712,
        parameters=78_666,
        format=WHOLE_MODEL_H5,
        licence="Apache-2.0",
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        source="https://github.com/mlcommons/tiny/tree/master/benchmark/training/image_classification",
        **_FACTS,
    ),
)
