"""`python -m tools.index`: write zoo/index.json and the model table of the README from the registry.

    python -m tools.index            write both
    python -m tools.index --check    exit 1 when one of them is out of date
    python -m tools.index --table    print the table

What a model costs and sees is read from its graph by `zoo.anatomy`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from zoo import atomic, catalogue, cores

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
START, END = "<!-- models -->", "<!-- /models -->"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.index", description=__doc__.splitlines()[0])
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="compare only; exit 1 when something is out of date")
    choice.add_argument("--table", action="store_true", help="print the Markdown table of the README")
    options = parser.parse_args(arguments)
    if options.table:
        print(table())
        return 0
    wanted = {catalogue.INDEX: dump(entries())}
    if not options.check:
        atomic.write(catalogue.INDEX, wanted[catalogue.INDEX])
        catalogue._entries.cache_clear()
    wanted[README] = with_table(README.read_text(encoding="utf-8"))
    stale = [path for path, text in wanted.items() if path.read_text(encoding="utf-8") != text]
    if options.check:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date; run `python -m tools.index`", file=sys.stderr)
        return int(bool(stale))
    for path in stale:
        atomic.write(path, wanted[path])
    print(f"{len(_names())} models written to {catalogue.INDEX.relative_to(ROOT)}")
    return 0


def entries() -> list[dict]:
    """All rows in the order of the registry, a process per core: building a graph keeps one core busy."""
    with ProcessPoolExecutor(cores.cores(), mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(entry, _names()))


def dump(found: list[dict]) -> str:
    """One line per model, so that a change shows as one line."""
    return "[\n" + ",\n".join(json.dumps(row) for row in found) + "\n]\n"


def entry(name: str) -> dict:
    """What the index says of one row; builds the model, without giving its weights a value."""
    import keras

    from zoo import anatomy, registry

    variant = registry.row(name)[1]
    with keras.StatelessScope(initialize_variables=False):
        backbone = registry.build_backbone(name, input_shape=variant.input_shape)
        pyramid = {level: list(output.shape[1:]) for level, output in backbone.output.items()}
        found = anatomy.measure(registry.build_classifier(name), anatomy.levels(backbone))
    keras.utils.clear_session()  # forgets the variables that wait for a value
    levels = {key: {"stride": part.stride, "field": part.field, "whole": part.view.whole} for key, part in found.levels.items()}
    gmacs, activations = (float(f"{count:.4g}") for count in (found.multiply_adds / 1e9, found.activations / 1e6))
    measured = {"gmacs": gmacs, "activations": activations, "memory": found.peak_bytes, "pyramid": pyramid, "levels": levels}
    return {**facts(name), **measured}


def facts(name: str) -> dict:
    """The part of an entry that needs no model."""
    from zoo import registry
    from zoo.weights import records

    variant, short = registry.row(name)[1], registry.family(name)
    family = registry.FAMILIES[short]
    fields = ("tag", "top", "licence", "trained_on", "top1", "top5", "bytes", "url")
    return {
        "name": name,
        "family": short,
        "parameters": variant.parameters,
        "input_shape": list(variant.input_shape),
        "minimum": variant.minimum,
        "classes": variant.classes,
        "output_strides": list(variant.output_strides),
        "paper": family.paper,
        "year": family.year,
        "arxiv": family.arxiv,
        "weights": [{field: getattr(record, field) for field in fields} for record in records(name)],
    }


def table() -> str:
    """The Markdown table between the markers of the README, from the index: one line per family."""
    families: dict[str, list[catalogue.Entry]] = {}
    for model in catalogue.list_models():
        families.setdefault(model.family, []).append(model)
    lines = [
        "| family | year | rows | for example | parameters (10⁶) | multiply-adds (10⁹) | weight sets | best published top-1 |",
        "|---|---:|---:|---|---:|---:|---:|---:|",
    ]
    for family, models in families.items():
        sets = {(model.name, record["tag"]) for model in models for record in model.weights}
        scores = [record["top1"] for model in models for record in model.weights if record["top1"] is not None]
        cells = (
            f"[{family}](zoo/backbones/{family}.py)",
            str(models[0].year),
            str(len(models)),
            f"`{models[0].name}`",
            _span(model.parameters / 1e6 for model in models),
            _span(model.gmacs for model in models),
            str(len(sets) or "-"),
            f"{max(scores):.1%}" if scores else "-",
        )
        lines.append(f"| {' | '.join(cells)} |")
    count = sum(len(models) for models in families.values())
    return "\n".join([*lines, "", f"{count} rows in {len(families)} families; [docs/models.md](docs/models.md) lists them all."])


def _span(numbers) -> str:
    """Smallest to largest, three digits each."""
    found = sorted(numbers)
    low, high = f"{found[0]:.3g}", f"{found[-1]:.3g}"
    return low if low == high else f"{low} to {high}"


def with_table(text: str) -> str:
    """The README with the table between its markers renewed; without markers it is returned as it is."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    return f"{before}{START}\n{table()}\n{END}{after}" if start and end else text


def _names() -> list[str]:
    from zoo import registry

    return list(registry.rows())


if __name__ == "__main__":
    sys.exit(main())
