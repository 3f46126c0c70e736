"""How was it built: a network by stages, what each costs and how far it sees, beside another network."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import keras
import streamlit as st

from apps import figures, wording
from apps.wording import literal
from zoo import anatomy, catalogue, create, viz
from zoo.anatomy import Anatomy

NOTHING = "nothing"


def main() -> None:
    st.title("How was it built?")
    st.markdown("What is a network made of, what does it cost, and how far does it see? It is counted from the plan: no picture is run.")
    with st.sidebar:
        names = ask()
        st.caption("Everything runs on this machine.")
    try:
        found = {name: measured(name) for name in names}
    except (ValueError, OSError, ImportError) as error:  # every refusal of the zoo says what was wanted, what came and what to do
        st.error(literal(error, 600), icon=":material/error:")
        st.stop()
    st.subheader("In numbers" if len(found) == 1 else "Side by side")
    st.table(comparison(found))
    for column, (name, each) in zip(st.columns(len(found), gap="large"), found.items(), strict=True):
        with column:
            st.subheader(f"Stages of {literal(name)}")
            st.table(stages(each))
    for name, each in found.items():
        picture(name, each)
    st.subheader("How to read it")
    st.markdown(wording.PLAN)


def ask() -> list[str]:
    """One or two rows of the zoo."""
    st.subheader("Model")
    rows = [entry.name for entry in catalogue.list_models()]
    first = st.selectbox("Architecture", rows, index=rows.index("resnet18"), key="anatomy")
    others = [NOTHING, *(name for name in rows if name != first)]
    second = st.selectbox("Compare with", others, index=others.index("mobilenet_v2") if first == "resnet18" else 0, key=f"beside-{first}")
    return [first] if second == NOTHING else [first, second]


@st.cache_resource(max_entries=16, show_spinner="Reading the plan of the network")
def measured(name: str) -> Anatomy:
    """The anatomy of a row at its published size. The plan is drawn without weights, so that a network of 2 GB costs no memory.

    It is drawn in a thread of its own, because Keras remembers, per thread, the variables that wait for a value.
    """

    def look() -> Anatomy:
        with keras.StatelessScope(initialize_variables=False):
            model = create.classifier(name)
            return anatomy.measure(model, anatomy.levels(create.backbone(name, input_shape=model.input_shape[1:])))

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(look).result()


def comparison(found: dict[str, Anatomy]) -> list[dict[str, str]]:
    """One line per fact, one column per model, and the second as a multiple of the first."""
    facts = {
        "Parameters": (lambda each: each.parameters, "{:,}".format),
        "Multiply-adds": (lambda each: each.multiply_adds, short),
        "Activations": (lambda each: each.activations, short),
        "Memory at the peak": (lambda each: each.peak_bytes, megabytes),
        "Memory of the weights": (lambda each: each.weight_bytes, megabytes),
        "Layers": (lambda each: len(each.parts), str),
        "Stages": (lambda each: len(each.levels), str),
        "Deepest map sees": (lambda each: deepest(each).field, pixels),
        "Stride of the deepest map": (lambda each: deepest(each).stride, pixels),
    }
    blank = {"Ratio": ""} if len(found) == 2 else {}
    lines = [{"Fact": "Picture", **{literal(name): size(each.input_shape) for name, each in found.items()}, **blank}]
    for fact, (value, text) in facts.items():
        values = [value(each) for each in found.values()]
        line = {"Fact": fact, **{literal(name): text(number) for name, number in zip(found, values, strict=True)}}
        lines.append(line | ({"Ratio": f"{values[1] / values[0]:.2f}" if all(values) else "-"} if len(found) == 2 else {}))
    papers = {literal(name): f"{literal(entry.paper, 90) or '-'} ({entry.year})" for name in found for entry in [catalogue.info(name)]}
    return [*lines, {"Fact": "Paper", **papers, **blank}]


def stages(found: Anatomy) -> list[dict[str, str]]:
    return [
        {
            "Stage": stage.name,
            "Gives": size(stage.last.shape),
            "Layers": str(stage.layers),
            "Parameters": short(stage.parameters),
            "Multiply-adds": short(stage.multiply_adds),
            "Sees": "all" if stage.last.field is None else f"{stage.last.field}{' and all' * stage.last.view.whole}",
        }
        for stage in found.stages
    ]


def picture(name: str, found: Anatomy) -> None:
    st.subheader(f"{literal(name)}, drawn")
    drawn = drawing(name, figures.is_dark(), found)
    path = " to ".join(f"{stage.name} {size(stage.last.shape)}" for stage in found.stages)
    st.image(drawn, alt=f"Stages of {name}: {path}", width="stretch")
    left, right = st.columns(2)
    table = found.csv().encode()
    left.download_button(
        "Picture (PNG)", drawn, f"{name}_anatomy.png", "image/png", icon=":material/image:", on_click="ignore", width="stretch"
    )
    right.download_button(
        "Layers (CSV)", table, f"{name}_anatomy.csv", "text/csv", icon=":material/table:", on_click="ignore", width="stretch"
    )


@st.cache_data(max_entries=8, show_spinner="Drawing")
def drawing(name: str, on_dark: bool, _found: Anatomy) -> bytes:
    return figures.png(viz.anatomy.drawn(_found), on_dark)


def deepest(found: Anatomy):
    return list(found.levels.values())[-1]


def size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def pixels(number: int | None) -> str:
    return "all" if number is None else f"{number} pixels"


def megabytes(number: int) -> str:
    return f"{number / 2**20:,.1f} MiB"


def short(count: float) -> str:
    """1234567 as "1.23 M"."""
    for unit, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= unit:
            return f"{count / unit:.3g}{letter}"
    return f"{count:g}"


main()
