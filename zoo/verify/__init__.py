"""Does a row compute what the reference computes? `verify` answers with a certificate, offline, without any published weights.

    zoo verify resnet50                     in a terminal: against every reference of the row
    zoo.verify.verify("resnet50")           the same: a list of `Certificate`

How: the other library builds its network and gets random weights that keep it alive (`zoo.verify.reference`); its weight file
goes through our loader; both see the same images in float64 and in float32. A randomly initialised deep network is a bad witness:
its signal may be dead, so that anything agrees, or its normalisation may amplify rounding, so that nothing does. So gains and
shifts are spread out, the moving statistics are measured on smooth images, and a difference is given in units of how far the
output moves from one image to the other.

torch must not be imported after TensorFlow in one process, so torch's side is a script of its own, `zoo.verify.torch_side`.
"""

from __future__ import annotations

from zoo.verify.certificate import Certificate

__all__ = ["Certificate", "verify"]


def verify(name: str, reference: str | None = None, **options) -> list[Certificate]:
    """One certificate per reference of the row; see `zoo.verify.compare.verify`."""
    from zoo.verify import compare

    return compare.verify(name, reference, **options)
