"""`python -m leap_eval.findings NOTEBOOK RELEASE_DIR AUDIENCE OUT_HTML OUT_PDF`."""

from __future__ import annotations

import sys
from pathlib import Path

from leap_eval.errors import LeapError, PageError
from leap_eval.findings.entry import facts, render
from leap_eval.pipeline.guard import guard
from leap_eval.store.files import root, write_bytes


def main(notebook: str, home: str, audience: str, html: str, pdf: str) -> None:
    """Render one audience once the runner says that the notebook is there; both files or none."""
    guard()
    if sys.stdin.readline() != "go\n":
        raise PageError("the notebook did not end; run `dvc repro findings`")
    folder = Path(home)
    found = [folder / "manifest.json", *sorted(folder.glob("tables/*.csv"))]
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}
    page, paper = render(Path(notebook).read_bytes(), files, audience, facts(root()))
    write_bytes(Path(html), page.encode())
    write_bytes(Path(pdf), paper)


if __name__ == "__main__":
    trouble = ""
    try:
        main(*sys.argv[1:])
    except LeapError as known:
        trouble = str(known)
    except Exception as unforeseen:  # noqa: BLE001 - its message may quote a cell
        trouble = f"{type(unforeseen).__name__}; report this line"
    if trouble:
        print(trouble, file=sys.stderr)
        sys.exit(21)
