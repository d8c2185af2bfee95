"""All that may stand on a page, worked out from the release and the files of words alone.

The scan's second pair of eyes: its own CSV reader, its own number formats, its own matching
of sentences. Nothing of the exporter is imported.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

NUMBER = re.compile(r"[+−-]?\d[\d,]*(?:\.\d+)?%?")
WORD = re.compile(r"[^\W\d_]+(?:[’'][^\W\d_]+)*")
MARKDOWN = re.compile(
    r"\$\$?[^$]+\$\$?|\{\{[^}]*\}\}|\*\*|\*|^#{2,4} |^[-*] |\[|\]\(#[a-z-]*\)|\n{2,}|\n(?=[-*#])",
    re.MULTILINE,
)
SVG = "{http://www.w3.org/2000/svg}"
MATH = "{http://www.w3.org/1998/Math/MathML}"
HTML = "{http://www.w3.org/1999/xhtml}"


def _names(text: str, prefix: str = "") -> frozenset[str]:
    return frozenset(prefix + name for name in text.split())


PLAIN = _names(
    "html head meta title style body a header p h1 h2 h3 h4 nav ul li main footer div span section "
    "figure figcaption details summary table caption thead tbody tr th td strong em"
)
DRAWN = _names("svg title desc g path use text defs rect pattern tspan", SVG)
MATHS = _names("math mrow mi mo msub msup msubsup mfrac mover munder mstyle mtext", MATH)
PLAIN_ATTRIBUTES = _names(
    "lang charset content name class id href download scope role tabindex aria-label data-output "
    "alttext display http-equiv stretchy accent"
)
DRAWN_ATTRIBUTES = _names(
    "viewBox role aria-labelledby id d transform x y width height fill stroke stroke-width "
    "stroke-dasharray stroke-linecap stroke-linejoin opacity fill-opacity class href font-size "
    "font-family font-weight font-style text-anchor data-row patternUnits"
)
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
GREEK = {unicodedata.name(chr(c), "") for c in range(0x3B1, 0x3CA)}
MONTHS = "January February March April May June July August September October November December"


class Sources:
    """Cells as shown, labels, sentences with slots, and the prose of the committed notebook."""

    def __init__(
        self, release: Mapping[str, bytes], notebook: Mapping[str, Any], facts: Mapping[str, str],
        audience: str,
    ) -> None:  # fmt: skip
        self.manifest = json.loads(release["manifest.json"])
        outputs = [o for o in self.manifest["outputs"] if audience in o["audience"]]
        self.raw = {o["id"]: release[o["file"]] for o in outputs}
        self.rows = {k: list(csv.DictReader(io.StringIO(v.decode()))) for k, v in self.raw.items()}
        told = read("page.yaml")
        self.says: dict[str, str] = told["says"]
        self.facts = set(facts.values())
        self.names = {str(self.manifest.get(k)) for k in
                      ("name", "plan_hash", "rules_hash", "lock_hash", "ledger_head")}  # fmt: skip
        self.names |= {f"{k}{end}" for k in self.raw for end in (".csv", ".csv.gz")}
        self.names |= {hashlib.sha256(v).hexdigest() for v in self.raw.values()}
        self.names |= {"dictionary.csv", *self._days(), *self.facts, *constants()}
        ticks = {t for n in _numbers_in(read("figures.yaml")) for t in _forms(n)}
        self.cells = {k: _cells(rows) | ticks for k, rows in self.rows.items()}
        self.cells["manifest"] = {f"{n:,}" for k in self.rows for n in _sizes(self.rows[k])}
        self.exact, self.patterns = _phrases(), _patterns()
        self.shell = self._shell(facts["contact"], audience)
        self.prose = list(_prose(notebook))
        self.formulas = _formulas(told, notebook)
        self._seen: dict[str, bool] = {}

    def _days(self) -> list[str]:
        frozen = [str(f["on"]) for f in self.manifest.get("plan_frozen") or []]
        parts = [d.split("-") for d in [self.manifest["as_at"], *frozen]]
        return [f"{int(d)} {MONTHS.split()[int(m) - 1]} {y}" for y, m, d in parts]

    def _shell(self, contact: str, audience: str) -> tuple[list[str], list[str]]:
        """Return the texts above and below the main part, but for the list of contents."""
        demo, name = self.manifest["state"] == "demo", self.manifest["name"]
        heading = self.says["heading"].format(readers=read("labels.yaml")["audience"][audience])
        stamp = [self.says["pretend"]] if demo else []
        title = self.says["title_pretend" if demo else "title"]
        stand = self.says["stand"].format(day=self._days()[0], name=name)
        head = [title.format(pretend="".join(stamp), heading=heading, name=name)]
        head += [self.says["skip"], *stamp, self.says["kicker"], heading, self.says["lead"], stand]
        return head, [self.says["quiet"].format(contact=contact)]

    def counted(self, text: str, output: str) -> bool:
        """Tell whether every number of a text is a shown cell of this output."""
        for name in sorted(self.names, key=len, reverse=True):
            text = text.replace(name, " ")
        allowed = self.cells.get(output, set())
        return all(n in allowed or n.strip(",") in allowed for n in NUMBER.findall(text))

    def said(self, text: str) -> bool:
        """Tell whether a text is a label, a shown value, or a sentence of ours with such slots."""
        text = text.strip()
        if text not in self._seen:
            self._seen[text] = False  # a sentence that holds itself is none
            self._seen[text] = self._said(text)
        return self._seen[text]

    def _said(self, text: str) -> bool:
        if not text or text in self.exact or text in self.names or not WORD.search(text):
            return True
        forms = {text, text[:1].lower() + text[1:], text[:1].upper() + text[1:]}
        if forms & self.exact:
            return True
        for pattern in self.patterns:
            for form in sorted(forms):
                if (found := pattern.fullmatch(form)) and all(map(self.said, found.groups())):
                    return True
        if " and " in text or ", " in text:
            names = re.split(r", | and ", text)
            if all(n in self.exact for n in names):
                return True
        ends = [m.end() for m in re.finditer(r"[.:;] ", text)]
        return any(self.said(text[:e]) and self.said(text[e:]) for e in ends)


@cache
def read(name: str) -> Any:
    """Read one of the files of words."""
    return yaml.load(text_of("leap_eval.reference", name), LOADER)


@cache
def text_of(package: str, name: str) -> str:
    """Return the text of a file that comes with the package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def constants() -> tuple[str, ...]:
    """Return the few strings with a digit that a page may say of itself."""
    told = yaml.safe_load(text_of("leap_eval.findings", "constants.yaml"))
    return tuple(map(str, told["strings"]))


def _numbers_in(value: Any) -> Iterator[float]:
    if isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _numbers_in(inner)
    elif isinstance(value, int | float):
        yield float(value)


def _forms(value: float) -> set[str]:
    plain = (
        {f"{abs(value):g}", f"{abs(value):,.0f}"} if value == int(value) else {f"{abs(value):g}"}
    )
    return plain | {("+" if value > 0 else "−") + p for p in plain}


def _sizes(rows: list[dict[str, str]]) -> tuple[int, int]:
    return len(rows), sum(r["marker"] == "c" for r in rows)


def _cells(rows: list[dict[str, str]]) -> set[str]:
    """Write every cell as the house writes numbers, worked out here a second time."""
    told = {f"{n:,}" for n in _sizes(rows)}
    for row in rows:
        for column, text in row.items():
            if column in ("value", "low", "high"):
                told |= (
                    _written(float(text), row["measure"], row.get("unit", "")) if text else set()
                )
            elif column == "contrast":
                told |= set(NUMBER.findall(text.replace("-", " ").replace("+", " ")))
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
    if measure == "mean":
        return {format(value, ".1f")}
    if measure in ("smd_before", "smd_after", "q", "p", "evalue"):
        plain = format(abs(value), ".2f")
        return {plain} if value >= 0 else {"−" + plain, plain}
    return {format(value, ",.0f")}


@cache
def _phrases() -> frozenset[str]:
    """Collect what may stand as it is: labels, sentences without slots, and pieces of labels."""
    told = read("page.yaml")
    found = {v for group in read("labels.yaml").values() if isinstance(group, Mapping)
             for v in map(str, group.values())}  # fmt: skip
    found |= {"c", "x", *read("labels.yaml")["grade"]}
    found |= {v for v in told["says"].values() if "{" not in v}
    # A label that is wrapped inside a figure arrives in pieces.
    found |= {" ".join(w[i:j]) for v in found if len(w := v.split()) < 9
              for i in range(len(w)) for j in range(i + 1, len(w) + 1)}  # fmt: skip
    found |= {f"{k}." for k in told["glossary"]} | set(told["glossary"].values())
    methods = told["methods"]
    for name in ("target", "sheet"):
        found |= {methods[f"{name}_caption"], *methods[f"{name}_head"]}
        found |= {t for line in methods[name] for t in line}
    for text in methods["summary"] + methods["full"]:
        found |= {piece.strip() for piece in re.split(r"\$[^$]+\$", text)}
    return frozenset(found)


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Turn every sentence with slots into a pattern; the fuller ones are tried first."""
    templates = [*read("page.yaml")["says"].values(), *read("wording.yaml")["templates"].values()]
    slotted = sorted(
        (t for t in templates if "{" in t), key=lambda t: -len(re.sub(r"{.*?}", "", t))
    )
    parts = (re.split(r"(\{\w+\})", t) for t in slotted)
    return tuple(re.compile("".join(map(_part, p))) for p in parts)


def _part(piece: str) -> str:
    if piece in ("{n}", "{m}", "{k}", "{estimate}", "{low}", "{high}"):
        return rf"({NUMBER.pattern}|c|x)"
    return "(.+?)" if re.fullmatch(r"\{\w+\}", piece) else re.escape(piece)


def _prose(notebook: Mapping[str, Any]) -> Iterator[str]:
    """Return the stretches of plain text of the markdown cells, in order; the title is no prose."""
    for cell in notebook["cells"][1:]:
        if cell["cell_type"] == "markdown":
            source = cell["source"]
            for piece in MARKDOWN.split(source if isinstance(source, str) else "".join(source)):
                if plain := " ".join(piece.split()):
                    yield plain


def _formulas(told: Mapping[str, Any], notebook: Mapping[str, Any]) -> set[str]:
    """Return every letter and word that a formula of ours holds."""
    methods = told["methods"]["summary"] + told["methods"]["full"]
    cells = [c["source"] for c in notebook["cells"] if c["cell_type"] == "markdown"]
    texts = [*methods, *(s if isinstance(s, str) else "".join(s) for s in cells)]
    tex = " ".join(m for text in texts for m in re.findall(r"\$([^$]+)\$", text))
    words = set(WORD.findall(tex.replace("_", " ")))
    names = {f"GREEK SMALL LETTER {w.upper()}" for w in re.findall(r"\\([a-z]+)", tex)}
    words |= {unicodedata.lookup(n) for n in names & GREEK}
    letters = {letter for w in words for letter in w}
    return words | letters | set(told["spoken"])
