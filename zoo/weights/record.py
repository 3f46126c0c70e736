"""What is known about one published weight file, checked when the record is made."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.download import split_digest

APPLICATIONS_H5 = "applications_h5"
"""Weights-only HDF5 as keras.applications publishes it: read by `layer_names` and `weight_names`, kernels for BGR input."""
KERAS_H5 = "keras_h5"
"""`.weights.h5` as Keras 3 writes it."""
TIMM_SAFETENSORS = "timm_safetensors"
"""safetensors with the parameter names of timm or torchvision: OIHW kernels, rows of outputs in dense layers."""
ZOO_SAFETENSORS = "zoo_safetensors"
"""Our own archive (see `zoo.weights.archive`)."""
TORCH_PICKLE = "torch_pickle"
"""A state dict as torch.save writes it, with the names of timm or torchvision; only tensors are admitted (see `zoo.weights.pickled`)."""
WHOLE_MODEL_H5 = "whole_model_h5"
"""A whole model of Keras 2 in HDF5, of which only the weights are read, by `layer_names`; its configuration is never looked at.
For published files only: a record says which row of ours they fit."""
TFLITE_INT8 = "tflite_int8"
"""A quantised TensorFlow Lite file, read back as the real numbers that its integers stand for (see `zoo.weights.tflite`)."""
FORMATS = (APPLICATIONS_H5, KERAS_H5, TFLITE_INT8, TIMM_SAFETENSORS, TORCH_PICKLE, WHOLE_MODEL_H5, ZOO_SAFETENSORS)


@dataclass(frozen=True, kw_only=True)
class Record:
    """One published weight file.

    models:        rows of the zoo that it fits, for example ("vgg16",).
    tag:           what `weights=` asks for; one row may have a file with and one without the head under the same tag.
    url:           https address at the publisher.
    digest:        "sha256:..." or, where the publisher gives nothing better, "md5:..." or None (see `zoo.download.fetch`).
    bytes:         size of the file, or None where no public source states it; then `limit` caps the download.
    parameters:    numbers stored in the file (weights and batch-norm statistics), four bytes each (one in TFLITE_INT8).
    licence:       of the weights, as an SPDX identifier.
    trained_on:    data set and split.
    size:          (height, width) in pixels at which the publisher evaluates.
    mean, std:     constants of the normalising first layer, RGB on the scale [0, 255].
    interpolation: resize filter of the publisher's evaluation.
    crop:          side of the centre crop divided by the resized shorter side.
    classes:       outputs of the head.
    class_list:    key for `zoo.weights.class_names`.
    top1, top5:    published accuracy on the ImageNet validation set, or on the test set of the named data; or None.
    format:        one of `FORMATS`.
    top:           whether the file holds the head.
    source:        page that states the facts above.
    """

    models: tuple[str, ...]
    tag: str
    url: str
    digest: str | None
    format: str
    licence: str
    parameters: int
    bytes: int | None = None
    trained_on: str = "ImageNet-1k (ILSVRC 2012), training split"
    size: tuple[int, int] = (224, 224)
    mean: tuple[float, ...] = (123.675, 116.28, 103.53)
    std: tuple[float, ...] = (58.395, 57.12, 57.375)
    interpolation: str = "bilinear"
    crop: float = 0.875
    classes: int = 1000
    class_list: str = "imagenet"
    top1: float | None = None
    top5: float | None = None
    top: bool = True
    source: str = ""

    def __post_init__(self):
        if self.digest is not None:
            split_digest(self.digest)
        if not self.url.startswith("https://"):
            raise ValueError(f"a record's url must start with https://, got {self.url!r}")
        if self.format not in FORMATS:
            raise ValueError(f"a record's format must be one of {', '.join(FORMATS)}, got {self.format!r}")
        if not self.models or not self.tag or not self.licence:
            raise ValueError(f"a record needs models, a tag and a licence, got {self.models!r}, {self.tag!r}, {self.licence!r}")

    @property
    def limit(self) -> int:
        """Most bytes that a download may have: the stated size, else four per parameter plus 5 % and 1 MiB for names."""
        return self.bytes if self.bytes is not None else int(self.parameters * 4 * 1.05) + 2**20
