"""The pages as readers get them: same bytes, words for pictures, one number for one cell."""

import csv
import hashlib
import importlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import html5lib
import nbformat
import pikepdf
import pytest
from findings_notebook import FACTS, ROOT, code, executed, notebook, output
from findings_release import fixture, small

from leap_eval.findings import blocks
from leap_eval.findings import exporter as pages_of
from leap_eval.findings.entry import facts, render
from leap_eval.findings.figures import reach
from leap_eval.findings.figures.style import SHADES
from leap_eval.findings.release import opened
from leap_eval.findings.words import capital, label, subgroup
from leap_eval.reference.labels import labels
from leap_eval.store import totals

BROWSER = Path(__file__).parent / "browser"
AUDIENCES = ("leap", "partners", "funder")
COUNTED = (
    "requests", "console", "cookies", "storage", "scripts", "overflow", "clipped", "overlaps",
    "tab_misses", "saved_wrong",
)  # fmt: skip
MODES = ("light", "dark", "narrow", "forced", "print")


def rewritten(change):
    """Return the made-up release with another table of effects, vouched for by its manifest."""
    files = fixture()
    rows = list(csv.DictReader(io.StringIO(files["tables/effects.csv"].decode())))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(change(rows))
    data = out.getvalue().encode()
    manifest = json.loads(files["manifest.json"])
    line = next(o for o in manifest["outputs"] if o["id"] == "effects")
    line["sha256"] = hashlib.sha256(data).hexdigest()
    return files | {"tables/effects.csv": data, "manifest.json": json.dumps(manifest).encode()}


def without(*families):
    return rewritten(lambda rows: [r for r in rows if r["family"] not in families])


def withholding(outcome):
    hidden = {"value": "", "low": "", "high": "", "marker": "c", "grade": "D"}
    return rewritten(lambda rows: [r | hidden if r["outcome"] == outcome else r for r in rows])


def made(audience):
    return render(json.dumps(executed()).encode(), fixture(), audience, FACTS)


@pytest.fixture(scope="module")
def pages():
    return {audience: made(audience) for audience in AUDIENCES}


def elements(page, tag):
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    return [e for e in tree.iter() if str(e.tag).split("}")[-1] == tag]


@pytest.mark.requirement("R31")
def test_every_audience_gets_a_page_and_a_paper_within_their_size(pages):
    assert all(len(p.encode()) <= 700_000 and len(b) <= 700_000 for p, b in pages.values())


@pytest.mark.requirement("R50")
def test_two_readers_of_one_audience_get_the_same_bytes_in_any_locale_and_zone(pages):
    code = (
        "import hashlib; from test_findings import made; p, b = made('funder');"
        "print(hashlib.sha256(p.encode() + b).hexdigest())"
    )
    env = os.environ | {"TZ": "Pacific/Auckland", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "7"}
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        check=True,
        text=True,
        capture_output=True,
        env=env | {"PYTHONPATH": "tests"},
    )
    page, paper = pages["funder"]
    assert told.stdout.strip() == hashlib.sha256(page.encode() + paper).hexdigest()


def test_nbconvert_makes_the_same_page_by_the_exporter_of_the_workspace(monkeypatch):
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    module, name = told["nbconvert.exporters"]["leap-eval-findings"].split(":")
    exporter = getattr(importlib.import_module(module), name)()
    monkeypatch.setattr(totals, "read_release", small)
    ran = notebook(code(output(blocks.flow())))
    text, _ = exporter.from_notebook_node(nbformat.from_dict(ran))
    assert text == pages_of.page(ran, opened(small()), "leap", facts(ROOT))


def test_every_figure_says_in_its_own_words_what_it_shows_and_its_table_follows(pages):
    for page, _ in pages.values():
        words = ["".join(e.itertext()) for e in elements(page, "desc")]
        assert len(words) == len(set(words)) == len(elements(page, "svg")) >= 10
        assert all(30 < len(w) <= 300 and "description" not in w for w in words)
        for figure in elements(page, "figure"):
            assert [e.tag.split("}")[-1] for e in figure] == ["figcaption", "svg", "details"]
            assert figure.find(".//table") is not None


def test_headings_never_skip_a_level_and_always_have_something_under_them(pages):
    for page, _ in pages.values():
        tree = html5lib.parse(page, namespaceHTMLElements=False)
        levels = [int(e.tag[1]) for e in tree.iter() if re.fullmatch(r"h[1-4]", str(e.tag))]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(b <= a + 1 for a, b in pairwise(levels))
        bare = re.findall(r"</h([2-4])>\s*(?:<h([2-4])|</(?:main|section)>)", page)
        assert all(below > above for above, below in bare)


def test_every_wide_table_has_a_name_of_its_own_so_that_none_is_mistaken_by_ear(pages):
    for page, _ in pages.values():
        names = [e.get("aria-label") for e in elements(page, "div") if e.get("role") == "region"]
        assert len(names) == len(set(names)) > 10


def test_link_texts_are_unique_and_make_sense_alone(pages):
    for page, _ in pages.values():
        told = ["".join(e.itertext()) for e in elements(page, "a")]
        assert len(told) == len(set(told))
        assert not {"here", "more", "link", "click here"} & {t.lower() for t in told}


def test_sentences_of_a_page_have_at_most_twenty_five_words_on_average(pages):
    for page, _ in pages.values():
        texts = ["".join(e.itertext()) for tag in ("p", "li") for e in elements(page, tag)]
        sentences = [s for t in texts for s in re.split(r"(?<=[.!?])\s", t) if s.endswith(".")]
        lengths = [len(re.findall(r"\w+", s)) for s in sentences]
        assert len(lengths) > 50
        assert sum(lengths) / len(lengths) <= 25


def test_a_grade_stands_as_a_letter_and_in_words_on_every_card(pages):
    for page, _ in pages.values():
        cards = [e for e in elements(page, "div") if (e.get("class") or "").startswith("card g")]
        grades = labels()["grade"]
        for card in cards:
            letter, words = "".join(card.find("p").itertext()).split(" ", 1)
            assert grades[letter] == words
        assert len(cards) >= 5


def test_findings_stand_in_the_order_of_the_plan_and_not_of_size(pages):
    page = pages["leap"][0]
    heads = ["".join(e.itertext()) for e in elements(page, "h3")]
    plan = [label("outcome", o) for o in labels()["outcome"]]
    told = [h for h in heads if h.lower() in plan]
    assert [h.lower() for h in told] == [p for p in plan if p in {h.lower() for h in told}]


def test_pairs_doses_and_breadth_are_drawn_when_they_are_released(pages):
    page = pages["leap"][0]
    for drawn in ("synergy-asq3_communication", "dose-asq3_communication", "breadth-asq3"):
        assert f'id="{drawn}' in page


def test_a_single_amount_is_a_card_and_no_curve_of_one_point():
    kept = ("3-5", "trend", "breadth:1")
    files = rewritten(
        lambda rows: [r for r in rows if r["family"] not in ("dose", "breadth")
                      or r["contrast"].endswith(kept)]
    )  # fmt: skip
    page, _ = render(json.dumps(executed()).encode(), files, "leap", FACTS)
    assert 'id="dose-' not in page
    assert 'id="breadth-' not in page
    heads = ["".join(e.itertext()) for e in elements(page, "h3")]
    assert sum(h.startswith("How many services: ") for h in heads) == 1
    assert sum(h.startswith("How much of ") for h in heads) == 2
    assert "1 of the services compared" in page


def test_where_one_group_differs_from_everybody_else_is_said_in_words_with_its_name(pages):
    effects = opened(fixture()).outputs["effects"]
    rows = effects.where(family="subgroup_gap", measure="estimate")
    clear = [r for r in rows if r["grade"] in "ABCN"]
    assert 0 < len(clear) < len(rows)
    for page, _ in pages.values():
        told = ["".join(e.itertext()) for e in elements(page, "li")]
        told = [t for t in told if "in this group" in t and "cannot tell" not in t]
        assert len(told) == len(clear)
        names = {capital(subgroup(r["subgroup"])) for r in clear}
        assert {t.split(": ")[0] for t in told} == names


def test_without_a_clear_difference_between_groups_the_page_says_that_none_can_be_told():
    vague = {"grade": "D", "wording_key": "subgroup_gap_d"}
    files = rewritten(
        lambda rows: [r | vague if r["family"] == "subgroup_gap" else r for r in rows]
    )
    page, _ = render(json.dumps(executed()).encode(), files, "funder", FACTS)
    assert "For no service and no group can we tell a difference" in page


def test_what_is_not_released_leaves_a_sentence_and_no_empty_figure():
    files = without("dose", "breadth", "pair_named", "pair_scan")
    page, _ = render(json.dumps(executed()).encode(), files, "leap", FACTS)
    assert "Not in this release: how much of a service children had." in page
    assert "no pair of services was used by enough children" in page
    assert 'id="dose-' not in page


def test_a_result_withheld_whole_is_named_and_not_drawn():
    files = withholding("eyfsp_gld")
    page, _ = render(json.dumps(executed()).encode(), files, "leap", FACTS)
    assert "no comparison could be released" in page
    assert 'id="forest-eyfsp_gld' not in page


def test_labels_as_long_as_a_line_and_zero_rows_are_drawn_without_an_error():
    row = dict.fromkeys(("measure", "value", "low", "high", "marker"), "") | {"measure": "children"}
    long = "a very long name of a service that nobody would choose " * 2
    svg = reach.bars([row | {"value": "-0"}], [long], "x", "t", "w", demo=True)
    assert svg.count("<text") >= 5
    assert "−0" not in svg


@pytest.mark.requirement("R47", "R49")
def test_a_page_holds_no_script_and_no_address_but_its_own_parts(pages):
    for page, _ in pages.values():
        assert not re.search(r"<script|<img|<iframe|<link|<form|\bon\w+=", page)
        assert set(re.findall(r"\b(?:https?|wss?)://[^\"' <]+", page)) == {
            "http://www.w3.org/2000/svg"
        }


@pytest.mark.requirement("R48")
def test_no_page_claims_consent_by_reading_it_or_calls_the_workspace_anonymous(pages):
    for page, _ in pages.values():
        assert not re.search(r"by continuing|anonymous data|cookie", page, re.IGNORECASE)


def test_findings_never_speak_of_causes(pages):
    for page, _ in pages.values():
        text = " ".join("".join(e.itertext()) for e in elements(page, "p"))
        assert not re.search(r"\b(caused|because of|impact|works|significant)\b", text)


@pytest.mark.requirement("R42")
def test_every_page_names_whom_to_ask_and_the_commissioner(pages):
    for page, _ in pages.values():
        assert FACTS["contact"] in page
        assert "Information Commissioner" in page


def test_a_cell_has_the_same_number_for_every_audience(pages):
    told = [dict(_rows(page)) for page, _ in pages.values()]
    shared = set.intersection(*map(set, told))
    assert len(shared) > 60
    assert all(len({t[key] for t in told}) == 1 for key in shared)


def _rows(page):
    for table in elements(page, "table"):
        caption = "".join(table.find("caption").itertext())
        for row in table.iter("tr"):
            cells = ["".join(c.itertext()) for c in row]
            yield (caption, *(c for c in cells if not re.search(r"\d", c))), tuple(cells)


@pytest.mark.requirement("R32")
def test_withheld_cells_are_shown_as_c_and_never_as_zero_or_blank(pages):
    for page, _ in pages.values():
        cells = ["".join(c.itertext()) for c in elements(page, "td")]
        assert cells.count("c") > 0
        assert "" not in cells


def test_every_table_has_a_caption_and_no_empty_header(pages):
    for page, _ in pages.values():
        assert all(t.find("caption") is not None for t in elements(page, "table"))
        heads = elements(page, "th")
        assert all("".join(h.itertext()).strip() and h.get("scope") for h in heads)


def test_pretend_data_are_stamped_into_title_banner_and_every_figure(pages):
    for page, _ in pages.values():
        stamp = "Pretend data: no real child"
        assert stamp in elements(page, "title")[0].text
        assert all(stamp in "".join(s.itertext()) for s in elements(page, "svg"))


def schemes():
    """Yield every pair of text and ground, in light and dark, read from the style."""
    css = (ROOT / "src/leap_eval/findings/page.css").read_text()
    roots = [dict(re.findall(r"--(\w+):(#\w{6})", m)) for m in re.findall(r":root\{([^}]+)\}", css)]
    for scheme in roots:
        for name in ("ink", "grey", "blue", "rust", "green", "purple"):
            yield scheme[name], scheme["paper"]
            yield scheme[name], scheme["ground"]
        for ground in ("blue", "purple"):
            yield scheme["paper"], scheme[ground]
    told = dict(re.findall(r'\[fill="(#\w{6})"\]\{fill:(#\w{6})\}', css))
    dark = {str(n): told.get(c, roots[1]["blue"]) for n, c in enumerate(SHADES)}
    light = {str(level): colour for level, colour in enumerate(SHADES)}
    for scheme, shades in zip(roots, (light, dark), strict=True):
        for level, ground in shades.items():
            yield scheme["paper" if int(level) > 3 else "ink"], ground


def test_the_style_knows_every_colour_of_every_figure(pages):
    css = (ROOT / "src/leap_eval/findings/page.css").read_text()
    for page, _ in pages.values():
        for kind, colour in set(re.findall(r'(fill|stroke)="(#\w{6})"', page)):
            assert f'[{kind}="{colour}"]' in css or colour in SHADES


def test_text_and_numbers_keep_their_contrast_in_light_and_dark():
    assert min(contrast(ink, ground) for ink, ground in schemes()) >= 4.5


def contrast(one, other):
    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_paper_is_tagged_titled_and_holds_no_script_or_attachment(pages):
    for page, paper in pages.values():
        with pikepdf.open(io.BytesIO(paper)) as pdf:
            root = pdf.Root
            assert root.MarkInfo.Marked
            assert root.ViewerPreferences.DisplayDocTitle
            assert str(root.Lang) == "en-GB"
            assert not {"/OpenAction", "/AA", "/AF"} & set(root.keys())
            assert "/EmbeddedFiles" not in root.get("/Names", {})
            figures = [e for e in _structure(root.StructTreeRoot) if e.get("/S") == "/Figure"]
            drawn = {"".join(e.itertext()) for e in elements(page, "desc")}
            words = [str(f.Alt) for f in figures]
            assert set(words) == drawn
            assert len(words) == len(drawn)
            formulas = [e for e in _structure(root.StructTreeRoot) if e.get("/S") == "/Formula"]
            assert len(formulas) == len(elements(page, "math"))
            assert {str(f.Alt) for f in formulas} == {
                m.get("alttext") for m in elements(page, "math")
            }


def test_the_paper_has_headed_tables_embedded_fonts_and_nothing_that_acts(pages):
    for _, paper in pages.values():
        with pikepdf.open(io.BytesIO(paper)) as pdf:
            nodes = list(_structure(pdf.Root.StructTreeRoot))
            kinds = [str(n.get("/S")) for n in nodes]
            assert kinds.count("/TH") > 20
            assert kinds.count("/TD") > 50
            for table in (n for n in nodes if n.get("/S") == "/Table"):
                assert "/TH" in {str(n.get("/S")) for n in _structure(table)}
            heads = [int(k[2]) for k in kinds if re.fullmatch(r"/H[1-6]", k)]
            assert heads[0] == 1
            assert all(b <= a + 1 for a, b in pairwise(heads))
            for page in pdf.pages:
                assert page.obj.get("/Tabs") == "/S"
                links = [a for a in page.obj.get("/Annots", []) if "/A" in a]
                assert not [a for a in links if a.A.get("/S") != "/GoTo"]
            for font in _fonts(pdf):
                assert "/ToUnicode" in font
                assert _embedded(font)
            assert not [o for o in pdf.objects if isinstance(o, pikepdf.Dictionary) and "/JS" in o]


def _fonts(pdf):
    for obj in pdf.objects:
        if isinstance(obj, pikepdf.Dictionary) and obj.get("/Subtype") == "/Type0":
            yield obj


def _embedded(font):
    told = font.DescendantFonts[0].FontDescriptor
    return any(k in told for k in ("/FontFile", "/FontFile2", "/FontFile3"))


def test_no_number_on_paper_is_missing_from_the_page(pages):
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is missing; install poppler-utils")
    for page, paper in pages.values():
        told = subprocess.run(
            ["pdftotext", "-", "-"], input=paper, check=True, capture_output=True
        ).stdout.decode()
        numbers = set(re.findall(r"[+−]?\d[\d,]*(?:\.\d+)?%?", told))
        page_numbers = set(re.findall(r"[+−]?\d[\d,]*(?:\.\d+)?%?", page))
        leaves = {str(n) for n in range(1, 60)}
        assert len(numbers) > 100
        assert numbers - page_numbers - leaves == set()


def _structure(node):
    kids = node.get("/K", [])
    for kid in kids if isinstance(kids, pikepdf.Array) else [kids]:
        if isinstance(kid, pikepdf.Dictionary):
            yield kid
            yield from _structure(kid)


@pytest.mark.requirement("R47", "R49", "R50")
def test_a_real_browser_asks_for_nothing_keeps_nothing_and_finds_no_barrier(pages, tmp_path):
    ready = (
        shutil.which("node") and shutil.which("chromium") and (BROWSER / "node_modules").is_dir()
    )
    if not ready and not os.environ.get("CI"):
        pytest.skip("chromium or tests/browser/node_modules is missing; run `make browser`")
    file = tmp_path / "page.html"
    file.write_text(pages["leap"][0], encoding="utf-8")
    told = subprocess.run(
        ["node", "look.js", f"file://{file}", "-", *MODES],
        cwd=BROWSER,
        check=True,
        text=True,
        capture_output=True,
    )
    for line in map(json.loads, told.stdout.splitlines()):
        for key in COUNTED:
            assert line.get(key, 0) == 0, (line["mode"], key)
        assert line["violations"] == []
        # Colours over drawings are settled by the contrast test above.
        assert {told[0] for told in line["incomplete"]} <= {"color-contrast"}
