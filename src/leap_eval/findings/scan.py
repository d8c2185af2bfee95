"""An independent reader of a finished page: it knows the release, and nothing of the exporter.

It parses the page anew, reads the tables anew and formats numbers anew. A breach names
its place and the rule, never the text found.
"""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import html5lib
import yaml

MOST_BYTES = 700_000
SVG = "{http://www.w3.org/2000/svg}"
MATH = "{http://www.w3.org/1998/Math/MathML}"


def _names(text: str, prefix: str = "") -> frozenset[str]:
    return frozenset(prefix + name for name in text.split())


PLAIN = _names(
    "html head meta title style body a header p h1 h2 h3 h4 nav ul li main footer div span section "
    "figure figcaption details summary table caption thead tbody tr th td strong em"
)
DRAWN = _names("svg title desc g path use text defs clipPath rect pattern tspan", SVG)
MATHS = _names("math mrow mi mn mo msub msup msubsup mfrac mover munder mstyle mtext", MATH)
PLAIN_ATTRIBUTES = _names(
    "lang charset content name class id href download scope role tabindex aria-label data-output "
    "alttext display http-equiv stretchy accent"
)
DRAWN_ATTRIBUTES = _names(
    "viewBox role aria-labelledby id d transform x y width height fill stroke stroke-width "
    "stroke-dasharray stroke-linecap stroke-linejoin stroke-opacity opacity fill-opacity class "
    "href font-size font-family font-weight font-style text-anchor data-row patternUnits"
)
XMLNS = "{http://www.w3.org/2000/xmlns/}xmlns"
SPOKEN = ("aria-label", "alttext", "content", "download")
NUMBER = re.compile(r"[+−-]?\d[\d,]*(?:\.\d+)?%?")
WORD = re.compile(r"[^\W\d_]+(?:[’'][^\W\d_]+)*")
POLICY = re.compile(
    r"default-src 'none'; style-src 'sha256-([A-Za-z0-9+/=]{44})'; img-src data:; "
    r"base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True, slots=True)
class Breach:
    """Where a page breaks which rule."""

    place: str
    rule: str


def scan(
    page: str, release: Mapping[str, bytes], notebook: Mapping[str, Any], facts: Mapping[str, str],
    audience: str,
) -> tuple[Breach, ...]:  # fmt: skip
    """Return every breach of a finished page."""
    tree = html5lib.HTMLParser(strict=False).parse(page)
    tree = tree if hasattr(tree, "iter") else tree.getroot()
    known = _Known(release, notebook, facts, audience)
    found = [*_bytes(page), *_markup(tree), *_policy(tree), *_stamp(tree, known)]
    found += [*_addresses(tree, known), *_strings(tree, known), *_complete(tree, known)]
    return tuple(dict.fromkeys(found))


class _Known:
    """All that may stand on a page: cells as shown, words of templates, labels and prose."""

    def __init__(
        self, release: Mapping[str, bytes], notebook: Mapping[str, Any], facts: Mapping[str, str],
        audience: str,
    ) -> None:  # fmt: skip
        self.manifest = json.loads(release["manifest.json"])
        outputs = [o for o in self.manifest["outputs"] if audience in o["audience"]]
        self.raw = {o["id"]: release[o["file"]] for o in outputs}
        self.hidden = {o["id"] for o in self.manifest["outputs"]} - set(self.raw)
        self.rows = {k: list(csv.DictReader(io.StringIO(v.decode()))) for k, v in self.raw.items()}
        declared = yaml.safe_load(_read("leap_eval.reference", "figures.yaml"))
        ticks = {t for n in _numbers_in(declared) for t in _forms(n)}
        self.cells = {k: _cells(rows) | ticks for k, rows in self.rows.items()}
        self.cells["manifest"] = self._manifest()
        self.loose = set(NUMBER.findall(" ".join(facts.values())))
        self.loose |= set(NUMBER.findall(" ".join(self._strings()[:4])))
        for told in yaml.safe_load(_read("leap_eval.findings", "constants.yaml"))["numbers"]:
            self.loose |= set(NUMBER.findall(told))
        self.words = _vocabulary(notebook) | _lower(" ".join([*facts.values(), *self._strings()]))
        self.words |= {w for rows in self.rows.values() for r in rows for w in _codes(r)}

    def _strings(self) -> list[str]:
        m = self.manifest
        told = [str(m[k]) for k in ("name", "as_at", "plan_hash", "rules_hash")]
        told += [str(m.get(k)) for k in ("lock_hash", "ledger_head")]
        return told + [hashlib.sha256(v).hexdigest() for v in self.raw.values()] + [*self.raw]

    def _manifest(self) -> set[str]:
        counts = {f"{len(r):,}" for r in self.rows.values()}
        counts |= {f"{sum(x['marker'] == 'c' for x in r):,}" for r in self.rows.values()}
        year, month, day = self.manifest["as_at"].split("-")
        dates = {year, str(int(day)), str(int(month))}
        return counts | dates | {"256", "-256"} | set(NUMBER.findall(" ".join(self._strings())))


def _codes(row: dict[str, str]) -> set[str]:
    told = [v for k, v in row.items() if k not in ("value", "low", "high")]
    return _lower(" ".join([*told, *row]).replace("_", " "))


def _read(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _numbers_in(value: Any) -> Iterator[float]:
    if isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _numbers_in(inner)
    elif isinstance(value, int | float):
        yield float(value)


def _forms(value: float) -> set[str]:
    plain = {f"{abs(value):g}", f"{abs(value):,.0f}"}
    sign = "+" if value > 0 else "−"
    return plain | {sign + p for p in plain}


def _cells(rows: list[dict[str, str]]) -> set[str]:
    """Write every cell as the house writes numbers, worked out here a second time."""
    told = {f"{len(rows):,}", f"{sum(r['marker'] == 'c' for r in rows):,}"}
    for row in rows:
        for column in ("value", "low", "high"):
            if row[column]:
                told |= _written(float(row[column]), row["measure"], row.get("unit", ""))
    return told


def _written(value: float, measure: str, unit: str) -> set[str]:
    if measure in ("estimate", "pointwise", "mde80"):
        size = value * (100 if unit == "risk" else 1)
        plain = format(abs(size), ".2f" if unit == "sd" else ".1f")
        return {plain, ("+" if size > 0 else "−") + plain}
    if measure in ("recall", "precision", "floored_share"):
        return {format(100 * value, ".1f") + "%"}
    if measure in ("share", "completeness", "no_consent_share", "linked_elsewhere"):
        return {format(100 * value, ".0f") + "%"}
    if measure in ("smd_before", "smd_after", "q", "p", "evalue"):
        plain = format(abs(value), ".2f")
        return {plain} if value >= 0 else {"−" + plain, plain}
    return {format(value, ",.0f")}


def _lower(text: str) -> set[str]:
    return {w.lower() for w in WORD.findall(text)}


def _vocabulary(notebook: Mapping[str, Any]) -> set[str]:
    """Collect the words of labels, wording, template, the parts' own sentences, and the prose."""
    told = [_read("leap_eval.reference", n) for n in ("labels.yaml", "wording.yaml")]
    told.append(_read("leap_eval.findings", "page.html.j2"))
    home = files("leap_eval.findings")
    for place in ("sections/about.py", "sections/counts.py", "sections/estimates.py",
                  "words.py", "exporter.py", "figures/forest.py", "figures/love.py",
                  "figures/reach.py", "figures/upset.py", "figures/style.py", "formula.py",
                  "downloads.py", "tables.py", "screen.py"):  # fmt: skip
        told.append(home.joinpath(place).read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            source = cell["source"]
            told.append(source if isinstance(source, str) else "".join(source))
    return _lower(" ".join(told))


def _bytes(page: str) -> Iterator[Breach]:
    if len(page.encode()) > MOST_BYTES:
        yield Breach("the page", f"larger than {MOST_BYTES // 1000} kB")
    if unicodedata.normalize("NFC", page) != page:
        yield Breach("the page", "not in normal form C")
    if any(unicodedata.category(c) in ("Cc", "Cf", "Co", "Cn", "Cs") and c != "\n" for c in page):
        yield Breach("the page", "holds a control, zero-width or private character")
    if "<!--" in page or "<?" in page:
        yield Breach("the page", "holds a comment or processing instruction")


def _bare(name: str) -> str:
    return name.removeprefix("{http://www.w3.org/1999/xhtml}")


def _markup(tree: Any) -> Iterator[Breach]:
    for element in tree.iter():
        if not isinstance(element.tag, str):
            yield Breach("the page", "holds a comment or processing instruction")
            continue
        tag = _bare(element.tag)
        if tag not in PLAIN | DRAWN | MATHS:
            yield Breach("the page", "an element that is not on the list")
        allowed = DRAWN_ATTRIBUTES if tag in DRAWN else PLAIN_ATTRIBUTES
        for name in element.attrib:
            if name not in allowed and (tag, name) != (SVG + "svg", XMLNS):
                yield Breach(
                    f"an element {tag.split('}')[-1][:10]}", "an attribute not on the list"
                )


def _policy(tree: Any) -> Iterator[Breach]:
    metas = [e for e in tree.iter() if _bare(str(e.tag)) == "meta" and e.get("http-equiv")]
    styles = [e.text or "" for e in tree.iter() if _bare(str(e.tag)) == "style"]
    told = POLICY.fullmatch(metas[0].get("content", "")) if len(metas) == 1 else None
    if told is None or len(styles) != 1:
        yield Breach("head", "no content policy, or more than one, or more than one style")
        return
    if base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode() != told[1]:
        yield Breach("head", "the policy does not fit the style")
    if re.search(r"url\(|@import|expression|content\s*:\s*[\"']|\\", styles[0]):
        yield Breach("head", "the style loads or says something")
    if styles[0] != _read("leap_eval.findings", "page.css"):
        yield Breach("head", "not the style of this version")


def _stamp(tree: Any, known: _Known) -> Iterator[Breach]:
    title = next((e.text or "" for e in tree.iter() if _bare(str(e.tag)) == "title"), "")
    banner = any(e.get("class") == "stamp" for e in tree.iter())
    stamped = "Pretend data" in title and banner
    if stamped != (known.manifest["state"] == "demo"):
        yield Breach("title and banner", "pretend data must be stamped, real data must not")


def _addresses(tree: Any, known: _Known) -> Iterator[Breach]:
    allowed = {hashlib.sha256(raw).hexdigest() for raw in known.raw.values()}
    for element in tree.iter():
        address = element.get("href")
        if address is None or address.startswith("#"):
            continue
        name = element.get("download", "")
        told = re.fullmatch(r"data:(text/csv|application/gzip);base64,([A-Za-z0-9+/=]+)", address)
        data = _decoded(told[1], told[2]) if told else b""
        if told is None:
            yield Breach("a link", "leads out of the page")
        elif name == "dictionary.csv":
            if not _lower(data.decode()) <= known.words | _lower("csv file column meaning"):
                yield Breach("dictionary.csv", "holds a word from no source")
        elif hashlib.sha256(data).hexdigest() not in allowed:
            yield Breach("a download", "not the bytes of a released table")


def _decoded(kind: str, text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
        again = base64.b64encode(raw).decode() == text
        data = gzip.decompress(raw) if kind.endswith("gzip") else raw
    except (ValueError, OSError, EOFError):
        return b""
    return data if again else b""


def _strings(tree: Any, known: _Known) -> Iterator[Breach]:
    for text, output, place in _texts(tree, ""):
        if any(unicodedata.category(c) in ("No", "Nl") or (c.isdigit() and c > "9") for c in text):
            yield Breach(place, "a number in other than plain digits")
        plain = " ".join(text.split())
        if place == "meta":
            continue
        allowed = known.cells.get(output, known.loose) | (known.loose if not output else set())
        for number in NUMBER.findall(plain):
            loose = number.lstrip("-") in allowed or number.strip(",") in allowed
            if number not in allowed and not loose:
                yield Breach(
                    f"{place} in {output or 'the shell'}", "a number without a released cell"
                )
        # In a formula a single letter is a symbol.
        symbol = place == "mi" and len(plain) == 1
        if not symbol and _lower(plain) - known.words:
            yield Breach(f"{place} in {output or 'the shell'}", "a word from no source")


def _texts(element: Any, output: str) -> Iterator[tuple[str, str, str]]:
    tag = _bare(str(element.tag)).split("}")[-1]
    output = element.get("data-output") or output
    if tag == "style":
        return
    if element.text:
        yield element.text, output, tag
    for name in SPOKEN:
        if told := element.get(name):
            # A download is named after its table; the policy is checked by its own rule.
            yield (
                told,
                "manifest" if name == "download" else output,
                "meta" if tag == "meta" else tag,
            )
    for child in element:
        yield from _texts(child, output)
        if child.tail:
            yield child.tail, output, tag


def _complete(tree: Any, known: _Known) -> Iterator[Breach]:
    seen = {e.get("data-output") for e in tree.iter() if e.get("data-output")}
    if missing := set(known.raw) - seen:
        yield Breach("the page", f"{len(missing)} table(s) of this audience are missing")
    if seen - set(known.raw) - {"manifest"}:
        yield Breach("the page", "names a table that is not for this audience")
