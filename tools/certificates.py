"""`python -m tools.certificates`: write the missing certificates of docs/certificates.

    python -m tools.certificates          only those that are missing or do not speak of today's row
    python -m tools.certificates --all    every one again

One comparison of every row comes first, smallest network first, then those with a second library. Small networks share a process; a
large one has its own, because a float64 network and its reference fill the memory of a process that is not given back.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "certificates"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.certificates", description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="make every certificate again")
    parser.add_argument("--least", type=float, default=0, help="only networks of at least so many parameters")
    parser.add_argument("--most", type=float, default=float("inf"), help="only networks of fewer parameters")
    options = parser.parse_args(arguments)
    wanted = [pair for pair in pairs() if options.least <= pair[2] < options.most and (options.all or not current(*pair[:2]))]
    failed = 0
    for library, names in groups(wanted):
        begin = time.monotonic()
        command = [sys.executable, "-W", "ignore", "-m", "zoo", "verify", *names, "--reference", library, "--out", str(FOLDER)]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        failed += done.returncode != 0
        if done.returncode:
            print(done.stderr.strip()[-500:])
        print(f"{done.stdout.strip()}\n{time.monotonic() - begin:.0f} s for {', '.join(names)}", flush=True)
    return int(failed > 0)


def groups(wanted: list[tuple[str, str, int]], small: float = 12e6, most: int = 5) -> list[tuple[str, list[str]]]:
    """(library, rows) in order, neighbours of one library together as long as they are small."""
    found: list[tuple[str, list[str]]] = []
    rest = list(wanted)
    while rest:
        _, library, parameters = rest[0]
        together = [pair for pair in rest if pair[1] == library and pair[2] < small][:most] if parameters < small else rest[:1]
        found.append((library, [name for name, _, _ in together]))
        rest = [pair for pair in rest if pair not in together]
    return found


def pairs() -> list[tuple[str, str, int]]:
    """(row, library, parameters) of every comparison: one of each row, smallest row first, then those with a second library."""
    from zoo import registry
    from zoo.verify.compare import references

    every = [(name, known.library, registry.row(name)[1].parameters) for name in registry.rows() for known in references(name)]
    every.sort(key=lambda pair: pair[2])
    first = {name: (name, library, count) for name, library, count in sorted(every, key=lambda pair: SLOWEST.index(pair[1]))}
    order = [*sorted(first.values(), key=lambda pair: pair[2]), *(pair for pair in every if pair not in first.values())]
    # keras.applications' ConvNeXt last: its grouped convolutions are by far the slowest in float64
    return sorted(order, key=lambda pair: pair[1] == "keras" and pair[0].startswith("convnext"))


SLOWEST = ("keras", "timm", "torchvision")


def current(name: str, library: str) -> bool:
    """Whether the certificate is there, passes, and compared what would be compared today."""
    from zoo.verify.certificate import Certificate
    from zoo.verify.compare import references, sizes_of

    path = FOLDER / f"{name}.{library}.json"
    if not path.is_file():
        return False
    stored = Certificate.read(path)
    reference = next(known for known in references(name) if known.library == library)
    sizes = [(size.height, size.width) for size in stored.sizes]
    return stored.passed and sizes == sizes_of(name, reference) and stored.reference == reference.model


if __name__ == "__main__":
    sys.exit(main())
