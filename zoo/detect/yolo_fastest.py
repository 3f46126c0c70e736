"""Yolo-Fastest 1.1 XL: a small detector of COCO's 80 classes with published weights, 3.8 MB, read from darknet's own files.

Source: https://github.com/dog-qiuqiu/Yolo-Fastest (YOLO LICENSE, in the manner of the public domain). Its pictures are 320x320, stretched.
"""

from __future__ import annotations

import keras

from zoo import download
from zoo.weights import darknet

NAME, TAG = "yolo_fastest_xl", "coco"
_PLACE = "https://raw.githubusercontent.com/dog-qiuqiu/Yolo-Fastest/96a2900d163196c396e73f3fdab04ca4dd9a2f70/ModelZoo/yolo-fastest-1.1_coco"
FILES = {
    "cfg": (f"{_PLACE}/yolo-fastest-1.1-xl.cfg", "c458427acc4fbeabceff4528ef7b65b066c0308ce599460f8ba299eba63abad3"),
    "weights": (f"{_PLACE}/yolo-fastest-1.1-xl.weights", "fac5fb41786c1f38f04972a658443b189f48720d7d117f9a044100e98a35b0c5"),
    "names": (f"{_PLACE}/coco.names", "634a1132eb33f8091d60f2c346ababe8b905ae08387037aed883953b7329af84"),
}
"""Kind -> (URL, sha256)."""


def here() -> bool:
    """Whether nothing would have to be downloaded."""
    return all(download.held(url) for url, _ in FILES.values())


def load() -> tuple[keras.Model, tuple[str, ...]]:
    """The detector and the names of its classes. Raises DownloadError where the files cannot be had."""
    files = {kind: download.fetch(url, digest=f"sha256:{digest}") for kind, (url, digest) in FILES.items()}
    names = files["names"].read_text(encoding="utf-8").splitlines()
    return darknet.load(files["cfg"], files["weights"]), tuple(name.strip() for name in names if name.strip())
