"""The offline kit: one file that a trust reads, approves, and runs with plain Python.

It holds the very modules the intake runs, the trust's agreement, and no key.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from importlib import metadata, resources

from leap_eval.agreements.agreement import Agreement
from leap_eval.agreements.programme import Programme
from leap_eval.errors import AgreementError
from leap_eval.reference.geography import source
from leap_eval.tokens import NORM_VERSION

# In the order a reader should take them: what is made, from what, who calls it.
MODULES = (
    *("__init__.py", "errors.py"),
    *("tokens/__init__.py", "tokens/normalise.py", "tokens/nicknames.py"),
    *("tokens/sounds.py", "tokens/near.py", "tokens/forms.py", "tokens/text.py", "tokens/keys.py"),
    *("tokens/make.py", "tokens/probes.py", "tokens/rates.py"),
    *("contracts/__init__.py", "contracts/declare.py"),
    *("contracts/tables.py", "contracts/breaches.py"),
    *("reference/__init__.py", "reference/ethnicity.py", "reference/geography.py"),
    *("reference/identifiers.py", "reference/instruments.py", "reference/rules.py"),
    *("agreements/agreement.py", "agreements/programme.py"),
    *("store/__init__.py", "store/files.py", "store/delivery.py", "intake/__init__.py"),
    *("intake/reader.py", "intake/values.py", "intake/deidentify.py", "intake/fates.py"),
    *("intake/sorting.py", "intake/canonical.py", "intake/partner_side.py", "intake/at_trust.py"),
)
# A workbook is read by these two, which are plain Python; a trust that sends text gets neither.
WORKBOOK = ("openpyxl", "et_xmlfile")
START = "from leap_eval.intake.at_trust import main\n\nmain()\n"
ABOUT = """\
Kit of {partner} for leap-eval {version}: agreement version {agreement}, normaliser {norm}.

Makes of the trust's own files what may leave it: keyed tokens, the trust's own pseudonyms, and
the agreed content coarsened. It opens no connection, and writes to the one folder it is given.

  python -I THIS_FILE --keys KEYS --out EMPTY_FOLDER --period 2019Q3 \\
      --opt-out-applied-on 2019-10-01 FILES...

To read it: python -m zipfile -e THIS_FILE FOLDER. leap_eval/terms.json is the agreement;
start with leap_eval/intake/partner_side.py. All files are those of leap-eval {version} but
__main__.py, terms.json, pydantic.py (is leap_eval/intake/validated.py) and leap_eval/agreements/
__init__.py (is empty). No key and nobody's data lie in it. SHA-256 and path of every file:

{listed}
"""


def kit(agreement: Agreement, programme: Programme) -> bytes:
    """Return a trust's kit: the same bytes from the same release and the same terms."""
    if agreement.kind != "nhs_trust":
        raise AgreementError(
            f"agreements/{agreement.partner}.yaml: only a trust de-identifies before it shares; "
            "a service sends its own files to the inbox"
        )
    home = resources.files("leap_eval")
    held = {f"leap_eval/{name}": (home / name).read_bytes() for name in MODULES}
    held["leap_eval/agreements/__init__.py"] = b""
    held["pydantic.py"] = (home / "intake/validated.py").read_bytes()
    held["__main__.py"] = START.encode()
    terms = {"agreement": _words(agreement), "programme": _words(programme)}
    for what, name in terms["programme"].get("geography", {}).items():
        held[f"leap_eval/reference/data/{what}.csv"] = source(name).read_bytes()
        terms["programme"]["geography"][what] = f"{what}.csv"
    held["leap_eval/terms.json"] = (json.dumps(terms, indent=1) + "\n").encode()
    for name in WORKBOOK if agreement.submission.file.format == "xlsx" else ():
        held |= _package(name)
    return _packed(held | {"READ-ME.txt": _about(agreement, held)})


def _words(terms: Agreement | Programme) -> dict[str, dict[str, str]]:
    told: dict[str, dict[str, str]] = terms.model_dump(
        mode="json", by_alias=True, exclude_defaults=True
    )
    return told


def _package(name: str) -> dict[str, bytes]:
    files = metadata.distribution(name).files or []
    kept = [f for f in files if f.suffix == ".py" or "LICEN" in f.name]
    return {f.as_posix(): f.locate().read_bytes() for f in kept}  # type: ignore[attr-defined]


def _about(agreement: Agreement, held: dict[str, bytes]) -> bytes:
    listed = [f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in held.items()]
    facts = {"partner": agreement.partner, "agreement": agreement.version, "norm": NORM_VERSION}
    text = ABOUT.format(**facts, version=metadata.version("leap-eval"), listed="\n".join(listed))
    return text.encode()


def _packed(held: dict[str, bytes]) -> bytes:
    # Stored, not squeezed, and with one date: another zlib or day would give other bytes.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in held.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return buffer.getvalue()
