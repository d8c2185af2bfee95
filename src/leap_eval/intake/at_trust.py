"""The door of a trust's kit: plain Python, no network, nothing installed.

The agreement and the programme lie in the kit; the keys and the trust's own files do not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

from leap_eval.agreements.agreement import Agreement
from leap_eval.agreements.programme import Programme
from leap_eval.errors import LeapError
from leap_eval.intake.partner_side import Errand, carry_out


def main() -> None:
    """Run the kit; an expected trouble is one message and its own exit code."""
    os.umask(0o077)
    asked = _parser().parse_args()
    told = json.loads((resources.files("leap_eval") / "terms.json").read_bytes())
    agreement = Agreement.model_validate(told["agreement"])
    programme = Programme.model_validate(told["programme"])
    try:
        print(carry_out(Errand(**vars(asked)), agreement, programme, date.today()))
    except LeapError as known:
        _stopped(str(known), known.exit_code)
    except Exception as unforeseen:  # noqa: BLE001 - its message may quote a cell
        _stopped(f"{type(unforeseen).__name__}; report this line", 1)


def _stopped(words: str, code: int) -> None:
    print(f"kit: {words}", file=sys.stderr)
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    about = "Make of a trust's own files of one period what may leave it: tokens, no identifier."
    parser = argparse.ArgumentParser(prog="kit", description=about)

    def option(name: str, words: str, **more: Any) -> None:
        parser.add_argument(f"--{name}", help=words, **({"required": True} | more))

    option("keys", "folder with the keys link, person and signing", type=Path)
    option("out", "an empty folder for what may leave", type=Path)
    option("period", "such as 2019Q3")
    option("opt-out-applied-on", "when the national data opt-out was applied")
    option("sequence", "higher to replace an earlier one", type=int, default=1, required=False)
    parser.add_argument("files", nargs="+", type=Path, help="the trust's own tables")
    return parser
