"""The pages: what they hold, what they ask for, what gets past the gate, beside nbconvert.

    python benchmarks/findings.py [--release DIR] [--audience A ...] [--hostile 8] [--seed 1]
        [--ordinary 100] [--browser] [--wording]

Makes each audience's page and PDF twice from a release, scans them, throws hostile notebooks at
the exporter and hostile pages at the scan, counts numbers without a released cell, and, with
`--browser`, opens the pages in Chromium in five modes with axe-core. `--wording` changes a file of
words, times `dvc repro` of an up-to-date workspace, and puts the file back. nbconvert's `lab`
template gets the same notebooks. The last line is JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import html5lib
import nbformat
import pikepdf
from nbconvert import HTMLExporter

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from findings_hostile import REFUSED, SILENT, canaries, disguises, ordinary, pages  # noqa: E402 - beside the tests
from findings_notebook import FACTS, code, executed, notebook, output, prose  # noqa: E402 - beside the tests
from findings_release import small  # noqa: E402 - beside the tests

from leap_eval.errors import PageError  # noqa: E402 - after the path
from leap_eval.findings import blocks  # noqa: E402 - after the path
from leap_eval.findings.entry import facts  # noqa: E402 - after the path
from leap_eval.findings.exporter import as_html, page, sections, story  # noqa: E402 - after the path
from leap_eval.findings.pdf import render_pdf  # noqa: E402 - after the path
from leap_eval.findings.release import opened  # noqa: E402 - after the path
from leap_eval.findings.scan import NUMBER_RULE, scan  # noqa: E402 - after the path
from leap_eval.findings.sources import NUMBER  # noqa: E402 - after the path

MODES = ("light", "dark", "narrow", "forced", "print")


def made(files: dict[str, bytes], audience: str, told: dict[str, str]) -> dict[str, object]:
    """Make page and PDF of one audience, and measure."""
    release, ran = opened(files), executed()
    began = time.process_time()
    nodes = story(ran, release, audience, told)
    text = as_html(nodes, release, audience, told)
    breaches = scan(text, files, ran, told, audience, sections(nodes))
    middle = time.process_time()
    paper = render_pdf(nodes, release, audience, told)
    return {
        "html": text, "pdf": paper, "breaches": len(breaches),
        "seconds_html": middle - began, "seconds_pdf": time.process_time() - middle,
        "unaccounted": sum(b.rule == NUMBER_RULE for b in breaches),
    }  # fmt: skip


def hostile(many: int, seed: int) -> dict[str, object]:
    """Throw notebooks at the exporter; count canaries on pages, ours and nbconvert's."""
    release, tried, leaks, theirs = opened(small()), 0, [], 0
    for name, channel in (SILENT | REFUSED).items():
        for canary in canaries(f"{seed} {name}", many):
            tried += 1
            cell = channel(canary)
            theirs += canary in _nbconvert(notebook(cell))
            try:
                text = page(notebook(cell), release, "partners", FACTS)
            except PageError:
                continue
            leaks += [name for d in disguises(canary) if d in text]
    return {"hostile": tried, "leaks": len(leaks), "nbconvert_leaks": theirs}


def _nbconvert(told: dict[str, object]) -> str:
    plain = json.loads(json.dumps(told))
    for cell in plain["cells"]:
        cell.setdefault("metadata", {})
        if cell["cell_type"] == "code":
            cell |= {"execution_count": None}
    try:
        return str(HTMLExporter().from_notebook_node(nbformat.from_dict(plain))[0])
    except Exception:  # noqa: BLE001 - a notebook that it refuses leaks nothing
        return ""


def scanned(seed: int, many: int) -> dict[str, int]:
    """Throw pages at the scan, past the exporter; then ordinary notebooks at both."""
    files = small()
    release = opened(files)
    told = notebook(
        code(output(blocks.flow())), prose("## Plain words\n\nA sentence."),
        code(output(blocks.reach_map()), output(blocks.withheld()), output(blocks.downloads())),
    )  # fmt: skip
    nodes = story(told, release, "partners", FACTS)
    text, again = as_html(nodes, release, "partners", FACTS), sections(nodes)
    tried = [scan(p, files, told, FACTS, "partners", again) for _, p in pages(text, seed)]
    false = 0
    for one in range(many):
        cells = notebook(*ordinary(seed * 1000 + one))
        nodes = story(cells, release, "leap", FACTS)
        fine = as_html(nodes, release, "leap", FACTS)
        false += bool(scan(fine, files, cells, FACTS, "leap", sections(nodes)))
    return {
        "hostile_pages": len(tried), "scan_missed": sum(not t for t in tried),
        "ordinary": many, "false_blocks": false,
    }  # fmt: skip


def paper(raw: bytes, text: str) -> dict[str, int]:
    """Count figures and formulae without words, and marked content outside the tags."""
    with pikepdf.open(io.BytesIO(raw)) as pdf:
        nodes = [o for o in pdf.objects if isinstance(o, pikepdf.Dictionary) and "/S" in o]
        told = [n for n in nodes if str(n.S) in ("/Figure", "/Formula")]
        untagged = int(not pdf.Root.MarkInfo.Marked)
        for page_ in pdf.pages:
            depth = 0
            for operands, operator in pikepdf.parse_content_stream(page_):
                if str(operator) in ("BDC", "BMC"):
                    depth += 1
                elif str(operator) == "EMC":
                    depth -= 1
                elif str(operator) in ("Tj", "TJ", "Do") and not depth:
                    untagged += bool(operands)
        wanted = text.count("<svg") + text.count("<math")
        silent = sum(not str(n.get("/Alt", "")) for n in told)
        return {"pdf_untagged": untagged, "pdf_without_alt": silent + abs(len(told) - wanted)}


def browsed(html: dict[str, str], lab: str) -> dict[str, object]:
    """Open every page in Chromium in every mode, and nbconvert's page in one."""
    found: dict[str, float] = dict.fromkeys(
        ("requests", "console", "cookies", "storage", "scripts", "overflow", "clipped", "overlaps",
         "tab_misses", "saved_wrong", "axe_violations", "axe_incomplete"), 0
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as room:
        for name, text in html.items():
            for line in _look(Path(room, f"{name}.html"), text, MODES):
                for key in found:
                    found[key] += line.get(key, 0) if not key.startswith("axe") else 0
                found["axe_violations"] += len(line["violations"])
                # Colours over drawings are settled by the contrast test.
                found["axe_incomplete"] += sum(i[0] != "color-contrast" for i in line["incomplete"])
        theirs = _look(Path(room, "lab.html"), lab, ("light",))[0]
    return found | {"nbconvert_axe": sum(v[1] for v in theirs["violations"])}


def _look(file: Path, text: str, modes: tuple[str, ...]) -> list[dict[str, object]]:
    file.write_text(text, encoding="utf-8")
    told = subprocess.run(
        ["node", "look.js", f"file://{file}", "-", *modes], cwd=ROOT / "tests/browser",
        check=True, text=True, capture_output=True,
    )  # fmt: skip
    return [json.loads(line) for line in told.stdout.splitlines()]


def elsewhere(folder: Path, audience: str) -> str:
    """Make page and PDF in another process, locale, zone and hash seed; return their digest."""
    script = (
        "import sys, pathlib; sys.path[:0] = sys.argv[1:3]; import findings as b, hashlib;"
        "m = b.made(b.read(pathlib.Path(sys.argv[3])), sys.argv[4], b.facts(b.ROOT));"
        "print(hashlib.sha256(m['html'].encode() + m['pdf']).hexdigest())"
    )
    env = os.environ | {"TZ": "Pacific/Auckland", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "7"}
    here = [str(ROOT / "benchmarks"), str(ROOT / "tests"), str(folder), audience]
    told = subprocess.run(
        [sys.executable, "-c", script, *here], check=True, text=True, capture_output=True, env=env
    )
    return told.stdout.strip()


def read(folder: Path) -> dict[str, bytes]:
    """Read a release from disk."""
    found = [folder / "manifest.json", *sorted(folder.glob("tables/*.csv"))]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


def alts(text: str) -> int:
    """Count figures without words of their own, with placeholder words, or with too many."""
    tree = html5lib.parse(text, namespaceHTMLElements=False)
    told = ["".join(e.itertext()) for e in tree.iter() if str(e.tag).endswith("}desc")]
    bad = sum(not 30 < len(t) <= 300 or "description" in t.lower() for t in told)
    return bad + len(told) - len(set(told)) + abs(text.count("<svg") - len(told))


def contrast() -> float:
    """Return the least contrast of text and numbers in both schemes."""
    from test_findings import contrast as of
    from test_findings import schemes

    return round(min(of(ink, ground) for ink, ground in schemes()), 2)


def reworded() -> dict[str, object]:
    """Touch each file of words in turn: how long until all pages are there, and what reran."""
    lock, found = ROOT / "dvc.lock", dict[str, object]()
    held = lock.read_bytes()
    for name in ("page", "wording"):
        place = ROOT / f"src/leap_eval/reference/{name}.yaml"
        before = place.read_bytes()
        place.write_bytes(before + b"# touched\n")
        try:
            began = time.monotonic()
            told = subprocess.run(
                ["dvc", "repro", "--no-run-cache"], cwd=ROOT, text=True, capture_output=True
            )
            found[f"seconds_{name}_yaml"] = round(time.monotonic() - began, 1)
            found[f"reran_{name}_yaml"] = re.findall(r"Running stage '([^']+)'", told.stdout)
            found[f"exit_{name}_yaml"] = told.returncode
        finally:
            place.write_bytes(before)
            lock.write_bytes(held)
    return found


def main() -> None:
    """Measure, and print one JSON line last."""
    warnings.simplefilter("ignore")  # nbconvert does not know our blocks
    asked = argparse.ArgumentParser()
    asked.add_argument("--release", type=Path, default=ROOT / "release")
    asked.add_argument("--audience", nargs="*", default=["leap", "partners", "funder"])
    asked.add_argument("--hostile", type=int, default=8)
    asked.add_argument("--ordinary", type=int, default=100)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--browser", action="store_true")
    asked.add_argument("--wording", action="store_true")
    args = asked.parse_args()
    files, told = read(args.release), facts(ROOT)
    began = time.monotonic()
    first = {a: made(files, a, told) for a in args.audience}
    seconds = time.monotonic() - began
    html = {a: str(m["html"]) for a, m in first.items()}
    differing = sum(
        elsewhere(args.release, a)
        != hashlib.sha256(str(m["html"]).encode() + bytes(m["pdf"])).hexdigest()  # type: ignore[arg-type]
        for a, m in first.items()
    )
    papers = [paper(bytes(m["pdf"]), str(m["html"])) for m in first.values()]  # type: ignore[arg-type]
    lab = _nbconvert(executed())
    line: dict[str, object] = {
        "pages": len(first),
        "breaches": sum(int(str(m["breaches"])) for m in first.values()),
        "alt_bad": sum(map(alts, html.values())),
        "contrast_min": contrast(),
        "bytes_html": max(len(h.encode()) for h in html.values()),
        "bytes_pdf": max(len(bytes(m["pdf"])) for m in first.values()),  # type: ignore[arg-type]
        "seconds_html": round(max(float(str(m["seconds_html"])) for m in first.values()), 2),
        "seconds_pdf": round(max(float(str(m["seconds_pdf"])) for m in first.values()), 2),
        "seconds_all_pages": round(seconds, 2),
        "numbers": sum(len(NUMBER.findall(re.sub(r"<[^>]*>", " ", h))) for h in html.values()),
        "numbers_unaccounted": sum(int(str(m["unaccounted"])) for m in first.values()),
        "pdf_untagged": sum(p["pdf_untagged"] for p in papers),
        "pdf_without_alt": sum(p["pdf_without_alt"] for p in papers),
        "differing_bytes": differing,
        "nbconvert_addresses": len(set(re.findall(r"https://(?:cdn|unpkg)[^\"' <>)]+", lab))),
    }
    line |= hostile(args.hostile, args.seed) | scanned(args.seed, args.ordinary)
    if args.browser:
        line |= browsed(html, lab)
    if args.wording:
        line |= reworded()
    print(json.dumps(line))


if __name__ == "__main__":
    main()
