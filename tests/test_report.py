"""The report: complete in one file, safe against what users call their classes, readable as Markdown and as a page."""

from __future__ import annotations

import base64
import html.parser
import io
import re

import numpy as np
import pytest
from PIL import Image

from zoo.markup import inline_html, inline_markdown, literal, plain_markdown
from zoo.report import Report, cell

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)> & [a](javascript:alert(1)) `c` | *b*"


class Page(html.parser.HTMLParser):
    """The tags, attributes and text of a page; `balanced` says whether every tag was closed in order."""

    VOID = {"meta", "img", "br", "!doctype"}

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.balanced = True
        self.feed(text)
        self.balanced = self.balanced and not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        self.balanced = self.balanced and bool(self.open) and self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def text(self):
        return " ".join("".join(self.words).split())


@pytest.fixture
def png(tmp_path):
    """A noisy picture that is large as PNG."""
    (tmp_path / "figures").mkdir()
    path = tmp_path / "figures" / "a b(1).png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)).save(path)
    return path


def written(report, folder):
    page = report.write(folder)
    assert page == folder / "report.html"
    return Page(page.read_text(encoding="utf-8")), (folder / "report.md").read_text(encoding="utf-8")


def full(path, word: str) -> Report:
    """A report in which every element holds `word`."""
    report = Report(word, word).heading(word).heading(word, 3).heading(word, 4).text(f"{word}\n\n- {word}\n- {word}").quote(word).code(word)
    report.note(word).note(word, "pass").note(f"- {word}", "fail").question(word, word).facts({word: word}).numbers({word: word})
    return report.table([word, "n"], [[word, 1]], word).figure(path, word, word)


def test_an_empty_report_is_a_page(tmp_path):
    page, markdown = written(Report("Nothing"), tmp_path)
    assert markdown == "# Nothing\n"
    assert page.balanced
    assert page.all("nav") == []


@pytest.mark.parametrize("word", ["word", EVIL, "", " ", "雪 🙂", "a\0b"])
def test_every_element_is_well_formed_and_complete_in_itself(tmp_path, png, word):
    report = full(png, word) if word.strip() else Report(word).heading(word).text(word).table([word], [[word]]).facts({word: word})
    page, _ = written(report, tmp_path)
    assert page.balanced
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "form", "base")
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("src", "data:image/").startswith("data:image/")
        assert attributes.get("href", "#").startswith(("#", "http"))
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'")
    assert "url(" not in (tmp_path / "report.html").read_text()
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")


def test_what_users_call_their_classes_is_shown_and_never_run(tmp_path, png):
    page, markdown = written(full(png, EVIL), tmp_path)
    assert page.text().count("<script>alert('x')</script>") >= 14
    assert page.all("img")[0]["alt"] == EVIL
    assert len(page.all("img")) == 1
    outside_code = re.sub(r"```.*?```|`[^`\n]*`", "", markdown, flags=re.DOTALL)
    assert "<script" not in outside_code
    assert "<img" not in outside_code
    assert not re.search(r"\[[^\]]*\]\(javascript:", re.sub(r"\\.", "", outside_code))


@pytest.mark.parametrize(
    ("text", "page", "markdown"),
    [
        ("", "", ""),
        ("a", "a", "a"),
        (
            "**bold** and *soft* and `co*de*`",
            "<strong>bold</strong> and <em>soft</em> and <code>co*de*</code>",
            "**bold** and *soft* and `co*de*`",
        ),
        ("**a *b* c**", "<strong>a <em>b</em> c</strong>", "**a *b* c**"),
        (
            "[a **b**](https://x.org/?a=1&b=2)",
            '<a href="https://x.org/?a=1&amp;b=2" rel="noreferrer">a <strong>b</strong></a>',
            "[a **b**](https://x.org/?a=1&b=2)",
        ),
        ("[a](javascript:alert(1))", "[a](javascript:alert(1))", r"\[a\](javascript:alert(1))"),
        ('[a](https://x"onclick=y)', "[a](https://x&quot;onclick=y)", r'\[a\](https://x"onclick=y)'),
        ("2 * 3 * 4", "2 * 3 * 4", r"2 \* 3 \* 4"),
        ("a_b_c", "a_b_c", r"a\_b\_c"),
        ("1 < 2 & 3", "1 &lt; 2 &amp; 3", "1 &lt; 2 &amp; 3"),
        (r"\*a\*", "*a*", r"\*a\*"),
        ("`<b>`", "<code>&lt;b&gt;</code>", "`<b>`"),
        ("**unfinished", "**unfinished", r"\*\*unfinished"),
    ],
)
def test_inline_markup(text, page, markdown):
    assert inline_html(text) == page
    assert inline_markdown(text) == markdown


@pytest.mark.parametrize("name", ["t-shirt", "a*b*c", "**a**", "`x`", "[a](http://b)", r"back\slash", r"\*", "a\nb", 7])
def test_a_literal_is_shown_as_it_is(name):
    assert inline_html(literal(name)) == " ".join(str(name).split())
    assert inline_markdown(literal(name)) == plain_markdown(name)


def test_contents_link_to_unique_headings(tmp_path):
    report = Report("t").heading("Data").heading("Data", 3).heading("Deep", 4).heading("雪").heading("Data 2")
    page, markdown = written(report, tmp_path)
    links = [attributes["href"] for attributes in page.all("a")]
    assert links == ["#data", "#data-2", "#section", "#data-2-2"]
    assert {f"#{attributes['id']}" for tag, attributes in page.tags if tag in ("h2", "h3")} == set(links)
    assert "## Data\n\n### Data\n\n#### Deep" in markdown


def test_columns_of_numbers_are_aligned_to_the_right(tmp_path):
    rows = [["ours", 0.913, "0.89–0.93", 1_175_466, None, "91.3 %", "v2"], ["tiny", 0.5, "± 0.1", np.int64(7), float("nan"), "–", "3"]]
    page, markdown = written(Report("t").table(["model", "acc", "ci", "params", "s", "share", "tag"], rows, "Results"), tmp_path)
    numbers = [attributes.get("class") == "number" for attributes in page.all("th")]
    assert numbers == [False, True, True, True, True, True, False]
    assert "|---|---:|---:|---:|---:|---:|---|" in markdown
    assert "| ours | 0.913 | 0.89–0.93 | 1,175,466 | – | 91.3 % | v2 |" in markdown
    assert "Table 1. Results" in page.text()


def test_a_table_without_rows_has_a_header(tmp_path):
    page, markdown = written(Report("t").table(["a", "b"], []), tmp_path)
    assert len(page.all("th")) == 2
    assert markdown.endswith("| a | b |\n|---|---|\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (float("inf"), "inf"),
        (True, "yes"),
        (np.bool_(False), "no"),
        (0, "0"),
        (12345, "12,345"),
        (0.0, "0.000"),
    ]
    + [(np.float32(0.5), "0.500"), (1e-5, "1.00e-05"), (2.5e7, "2.50e+07"), ("a\n b", "a b"), (np.array(3), "3")],
)
def test_cells(value, text):
    assert cell(value) == text


def test_questions_are_closed_until_asked(tmp_path):
    page, markdown = written(Report("t").question("Which *one*?", "**This** one."), tmp_path)
    details = [attributes for attributes in page.all("details") if attributes.get("class") == "question"]
    assert details == [{"class": "question"}]
    assert "<summary>" in markdown
    assert "**This** one." in markdown


def test_code_is_exact_even_with_fences(tmp_path):
    code = "```\n<b>&amp;</b>  two  blanks\n````"
    _, markdown = written(Report("t").code(code), tmp_path)
    assert f"`````\n{code}\n`````" in markdown
    assert "&lt;b&gt;&amp;amp;&lt;/b&gt;  two  blanks" in (tmp_path / "report.html").read_text()


def test_figures_are_inside_the_page_and_linked_from_the_text(tmp_path, png):
    small = tmp_path / "figures" / "small.png"
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    Image.fromarray(pixels).save(small)
    page, markdown = written(Report("t").figure(small, "A **small** one").figure(png, "Noise", alt="only noise"), tmp_path)
    first, second = page.all("img")
    assert (first["alt"], second["alt"]) == ("A small one", "only noise")
    assert (second["width"], second["height"]) == ("400", "300")
    assert base64.b64decode(first["src"].partition(",")[2]) == small.read_bytes()
    assert "![A small one](figures/small.png)\n\n**Figure 1.** A **small** one" in markdown
    assert "![only noise](figures/a%20b%281%29.png)\n\n**Figure 2.** Noise" in markdown


def test_a_figure_that_says_its_resolution_is_shown_at_its_size_on_paper(tmp_path):
    Image.new("RGB", (300, 150)).save(tmp_path / "a.png", dpi=(150, 150))
    page, _ = written(Report("t").figure(tmp_path / "a.png", "a"), tmp_path)
    assert (page.all("img")[0]["width"], page.all("img")[0]["height"]) == ("200", "100")


def test_large_figures_are_made_smaller_and_stay_true(tmp_path):
    height, width = np.mgrid[:900, :2400]
    pixels = np.stack([height % 256, width % 256, (height + width) % 256], axis=-1).astype(np.uint8)
    pixels ^= np.random.default_rng(0).integers(0, 8, pixels.shape, np.uint8)
    path = tmp_path / "large.png"
    Image.fromarray(pixels).save(path)
    page, _ = written(Report("t").figure(path, "Large"), tmp_path)
    (image,) = page.all("img")
    assert image["src"].startswith("data:image/webp;base64,")
    data = base64.b64decode(image["src"].partition(",")[2])
    assert len(data) < path.stat().st_size / 3
    with Image.open(io.BytesIO(data)) as shown, Image.open(path) as original:
        assert shown.size == (1800, 675)
        expected = original.resize(shown.size, Image.Resampling.LANCZOS)
        assert np.abs(np.asarray(shown.convert("RGB"), float) - np.asarray(expected, float)).mean() < 6


def test_figures_of_photographs_take_less_than_half_a_megabyte_each(tmp_path):
    random = np.random.default_rng(0)
    report = Report("t")
    for index in range(4):
        coarse = Image.fromarray(random.integers(0, 256, (60, 90, 3), np.uint8)).resize((1350, 900), Image.Resampling.BICUBIC)
        noisy = np.asarray(coarse, np.int16) + random.integers(-6, 7, (900, 1350, 3))
        path = tmp_path / f"{index}.png"
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path, compress_level=1)
        report.figure(path, f"Figure {index}")
    assert report.write(tmp_path).stat().st_size < 4 * 0.5e6


def test_a_picture_with_transparency_lies_on_white(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 4), np.uint8)
    pixels[:, :200, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    page, _ = written(Report("t").figure(tmp_path / "a.png", "a"), tmp_path)
    data = base64.b64decode(page.all("img")[0]["src"].partition(",")[2])
    with Image.open(io.BytesIO(data)) as shown:
        assert np.asarray(shown.convert("RGB"))[:, :150].min() > 235


def test_a_failed_write_keeps_the_old_report(tmp_path, png):
    Report("Old").write(tmp_path)
    report = Report("New").figure(png, "a")
    png.unlink()
    with pytest.raises(FileNotFoundError):
        report.write(tmp_path)
    assert (tmp_path / "report.md").read_text() == "# Old\n"
    assert "<h1>Old</h1>" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda report, folder: report.heading("x", 1), ValueError, "level 2, 3 or 4"),
        (lambda report, folder: report.note("x", "warning"), ValueError, "one of note, pass, fail, got 'warning'"),
        (lambda report, folder: report.table(["a", "b"], [[1, 2], [3]]), ValueError, r"2 columns \(a, b\), but row 1 has 1"),
        (lambda report, folder: report.figure(folder / "none.png", "x"), FileNotFoundError, "does not exist; save it first"),
        (lambda report, folder: report.figure(folder / "text.png", "x"), ValueError, "is no PNG, JPEG, WebP or GIF picture"),
        (lambda report, folder: report.figure(folder / "text.png", " "), ValueError, "needs a caption"),
    ],
)
def test_bad_input_is_told_what_is_wrong(tmp_path, call, error, message):
    (tmp_path / "text.png").write_text("I am text")
    with pytest.raises(error, match=message):
        call(Report("t"), tmp_path)
