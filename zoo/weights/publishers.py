"""How keras.applications, torchvision and timm lay out the files they publish, as records."""

from __future__ import annotations

import re
from typing import Any

from zoo.weights.record import APPLICATIONS_H5, TORCH_PICKLE, Record

HOST = "https://storage.googleapis.com/tensorflow/keras-applications"
KERNELS = "_weights_tf_dim_ordering_tf_kernels"
"""How the older files of keras.applications end before their suffix."""
CAFFE: dict[str, Any] = {"mean": (123.68, 116.779, 103.939), "std": (1.0, 1.0, 1.0)}
"""Trained by Caffe on BGR images minus the ImageNet mean, with no scaling; written for RGB."""
HALF: dict[str, Any] = {"mean": (127.5, 127.5, 127.5), "std": (127.5, 127.5, 127.5)}
"""Trained on images scaled to [-1, 1]."""
TIMM = "https://github.com/rwightman/pytorch-image-models/releases/download"


def pair(
    row: str, file: str, *, full: tuple, notop: tuple, end: str = "", bare: str = "_notop", host: str = HOST, **facts: Any
) -> tuple[Record, Record]:
    """The files of keras.applications with the head and without: host/file + end + .h5, and + bare + .h5.

    full, notop: (digest or None, bytes or None, numbers stored); a digest without algorithm is md5.
    facts:       further fields of `Record`: licence, top1, top5, mean, std, size ...
    """
    shared = {"models": (row,), "tag": "imagenet", "format": APPLICATIONS_H5, "source": "https://keras.io/api/applications/", **facts}
    return (
        Record(url=f"{host}/{file}{end}.h5", digest=_digest(full[0]), bytes=full[1], parameters=full[2], **shared),
        Record(url=f"{host}/{file}{end}{bare}.h5", digest=_digest(notop[0]), bytes=notop[1], parameters=notop[2], top=False, **shared),
    )


def sizes(row: str, file: str, accuracies: dict, *, full: int, notop: int, **facts: Any) -> tuple[Record, ...]:
    """One pair per training size, of the families for which keras.applications states no digest; `file` has a {} for the pixels.

    accuracies: {pixels: top-1, or (top-1, top-5)}; the tag is "imagenet" for 224 pixels, else "imagenet_160" and so on.
    """
    found: list[Record] = []
    for pixels, accuracy in accuracies.items():
        top1, top5 = accuracy if isinstance(accuracy, tuple) else (accuracy, None)
        own = {"tag": "imagenet" if pixels == 224 else f"imagenet_{pixels}", "size": (pixels, pixels), "top1": top1, "top5": top5}
        found += pair(row, file.format(pixels), full=(None, None, full), notop=(None, None, notop), bare="_no_top", **own, **facts)
    return tuple(found)


def torch_file(row: str, url: str, **facts: Any) -> Record:
    """A state dict whose file name ends in the first digits of its sha256, as torchvision and timm name theirs."""
    digits = re.search(r"-([0-9a-f]+)\.pth$", url)
    if digits is None:
        raise ValueError(f"the name of a state dict ends in -DIGITS.pth, the first digits of its sha256, got {url!r}")
    return Record(models=(row,), url=url, digest=f"sha256:{digits.group(1)}", format=TORCH_PICKLE, **facts)


def torchvision(row: str, file: str, **facts: Any) -> Record:
    """`torch_file` of torchvision: its licence, and its first set of weights unless `tag` says otherwise."""
    usual = {"tag": "imagenet1k_v1", "licence": "BSD-3-Clause"}
    return torch_file(row, f"https://download.pytorch.org/models/{file}.pth", **{**usual, **facts})


def _digest(text: str | None) -> str | None:
    return text if text is None or ":" in text else f"{'md5' if len(text) == 32 else 'sha256'}:{text}"
