"""`python -m tools.certificates`: write the missing certificates of docs/certificates, smallest network first.

    python -m tools.certificates          only those that are missing or do not speak of today's row
    python -m tools.certificates --all    every one again

One process per row, because a float64 network and its reference fill the memory of a process that is not given back.
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
    wanted = [pair for pair in pairs() if options.least <= pair[2] < options.most]
    failed = 0
    for number, (name, library, _) in enumerate(wanted, start=1):
        if not options.all and current(name, library):
            continue
        begin = time.monotonic()
        command = [sys.executable, "-W", "ignore", "-m", "zoo", "verify", name, "--reference", library, "--out", str(FOLDER)]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        failed += done.returncode != 0
        answer = done.stdout.strip() or f"{name}, {library}: {done.stderr.strip()[-500:]}"
        print(f"[{number}/{len(wanted)}] {time.monotonic() - begin:.0f} s  {answer}", flush=True)
    return int(failed > 0)


def pairs() -> list[tuple[str, str, int]]:
    """(row, library, parameters) of every comparison, smallest first."""
    from zoo import registry
    from zoo.verify.compare import references

    found = [(name, known.library, registry.row(name)[1].parameters) for name in registry.rows() for known in references(name)]
    return sorted(found, key=lambda pair: pair[2])


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
