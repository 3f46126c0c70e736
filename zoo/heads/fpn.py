"""Feature pyramid network: every level is given what the coarser ones know.

Lin, Dollar, Girshick, He, Hariharan & Belongie 2017, "Feature pyramid networks for object detection", arXiv:1612.03144, section 3:
a 1x1 convolution brings every level to one width, the coarser map is enlarged to twice its size (nearest) and added, and a 3x3 convolution
smooths the sum. P6 and P7 are RetinaNet's (Lin et al. 2017, arXiv:1708.02002, section 4 and footnote 2).

P6 has two forms: from C5, as in the paper, Detectron2 and torchvision's second version, or from P5, as in torchvision's first.
"""

from __future__ import annotations

from keras import layers


def fpn(levels: list, width: int = 256, p6: str = "c5") -> dict:
    """Maps at strides 8, 16, 32, finest first -> {"p3": ..., "p7": ...}, (b, h, w, width) at strides 8 to 128.

    p6: "c5" or "p5", the map that P6 is computed from.
    """
    if p6 not in ("c5", "p5"):
        raise ValueError(f"P6 is computed from 'c5' or from 'p5', got p6={p6!r}")
    numbered = list(enumerate(levels, start=3))
    x, pyramid = None, {}
    for number, level in reversed(numbered):
        lateral = _convolve(level, width, 1, f"fpn_lateral{number}")
        x = lateral if x is None else layers.Add(name=f"fpn_add{number}")([lateral, enlarged(x, lateral, f"fpn_up{number}")])
        pyramid[f"p{number}"] = _convolve(x, width, 3, f"fpn_output{number}")
    pyramid = dict(sorted(pyramid.items()))
    last = numbered[-1][0]
    x = pyramid[f"p{last}"] if p6 == "p5" else levels[-1]
    coarse = pyramid[f"p{last + 1}"] = _halved(x, width, f"fpn_p{last + 1}")
    x = layers.ReLU(name=f"fpn_p{last + 1}_relu")(coarse)
    pyramid[f"p{last + 2}"] = _halved(x, width, f"fpn_p{last + 2}")
    return pyramid


def enlarged(x, like, name: str):
    """Every cell of x four times, cut to the height and width of `like`, whose odd side the halving rounded up."""
    spare = [2 * small - large for small, large in zip(x.shape[1:3], like.shape[1:3], strict=True)]
    x = layers.UpSampling2D(2, interpolation="nearest", name=name)(x)
    return layers.Cropping2D(((0, spare[0]), (0, spare[1])), name=f"{name}_crop")(x) if any(spare) else x


def _halved(x, width: int, name: str):
    x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)  # "same" would pad even and odd sizes differently
    return _convolve(x, width, 3, name, strides=2, padding="valid")


def _convolve(x, width: int, kernel: int, name: str, padding: str = "same", **fields):
    """Caffe2's "Xavier" start, as the published networks have it: uniform with variance 1 / fan-in."""
    start = {"class_name": "VarianceScaling", "config": {"scale": 1.0, "mode": "fan_in", "distribution": "uniform"}}
    return layers.Conv2D(width, kernel, padding=padding, kernel_initializer=start, name=name, **fields)(x)
