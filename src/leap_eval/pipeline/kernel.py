"""The kernel `leap`: quiet, reproducible, guarded."""

from __future__ import annotations

import ctypes
import io
import json
import os
import re
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.formatters import DisplayFormatter

from leap_eval import errors
from leap_eval.pipeline.guard import guard
from leap_eval.pipeline.stages import EXPLORE_KERNEL, SHARED
from leap_eval.store.engine import engine

PERSONAL = {"record_key", "study_id", "family_id", "family_key", "record_key_a", "record_key_b"}
PSEUDONYM = re.compile(r"\b(?:rk1|sid1|fid1|tk1|pp1)_[a-z2-7]{28}\b")
HIDDEN = "row-level: not displayed"
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
PR_SET_PDEATHSIG = 1
QUIET = {"Date": None, "Creator": None}  # what a drawing would say of its maker
STAMP = "EXPLORATORY: not checked, not for release"
WATERMARK = (
    '<text x="50%" y="50%" text-anchor="middle" font-family="sans-serif" font-weight="bold" '
    'font-size="40" fill="#9c2f4f" fill-opacity="0.25">EXPLORATORY</text>'
)


class QuietFormatter(DisplayFormatter):
    """Shows no row of a person, and of two forms of one thing only the richer."""

    def format(
        self, obj: Any, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, Any], Any]:
        """Return the forms of `obj` that may stand in a notebook."""
        columns = getattr(obj, "columns", None)
        if columns is not None and PERSONAL & {str(c) for c in columns}:
            return {"text/plain": HIDDEN}, {}
        if type(obj).__module__ == "matplotlib.figure":
            shown, metadata = {"image/svg+xml": drawn(obj)}, {}
        else:
            shown, metadata = super().format(obj, include, exclude)
        if len(shown) > 1:
            shown.pop("text/plain", None)
        elif "text/plain" in shown:
            shown["text/plain"] = ADDRESS.sub("", shown["text/plain"])
        if on_desk() and any(PSEUDONYM.search(str(form)) for form in shown.values()):
            return {"text/plain": HIDDEN}, {}
        return (stamped(shown) if "LEAP_EXPLORATORY" in os.environ else shown), metadata


def drawn(figure: Any) -> str:
    """Return a figure as SVG, through pyplot or not, and also where it holds words alone."""
    held = io.BytesIO()
    figure.savefig(held, format="svg", bbox_inches="tight", metadata=QUIET)
    return held.getvalue().decode()


def on_desk() -> bool:
    """Tell whether a person looks on: in a stage the runner refuses the whole notebook instead."""
    return "LEAP_STAGE" not in os.environ


def hushed(stream: Any) -> None:
    """Let `stream` write no text that holds a pseudonym: a printed table is a row on screen."""
    write = stream.write
    stream.write = lambda text: write(f"{HIDDEN}\n" if PSEUDONYM.search(text) else text)


def stamped(shown: dict[str, Any]) -> dict[str, Any]:
    """Return the forms of an output with EXPLORATORY across figures and above all else."""
    told = dict(shown)
    if "image/svg+xml" in told:
        told["image/svg+xml"] = told["image/svg+xml"].replace("</svg>", f"{WATERMARK}</svg>")
    elif "text/html" in told:
        told["text/html"] = f"<p><strong>{STAMP}</strong></p>{told['text/html']}"
    elif "text/plain" in told:
        told["text/plain"] = f"{STAMP}\n{told['text/plain']}"
    return told


class QuietShell(ZMQInteractiveShell):
    """An expected error is its message alone; an unforeseen one in a stage only type and place.

    A library's own message may quote a cell.
    """

    def init_display_formatter(self) -> None:
        """Install the formatter that shows no row."""
        self.display_formatter = QuietFormatter(parent=self)

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        known = isinstance(evalue, errors.LeapError)
        if known or not on_desk() or PSEUDONYM.search("\n".join(map(str, stb))):
            evalue = _quiet(etype, evalue)
            stb = [f"{etype.__name__}: {evalue}"]
        super()._showtraceback(etype, evalue, stb)


def _quiet(etype: Any, evalue: Any) -> str:
    if isinstance(evalue, errors.LeapError):
        return str(evalue)
    trace, place = evalue.__traceback__, "notebook cell"
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if "leap_eval" in name:
            place = f"{Path(name).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{place}: {etype.__name__}; report this line"


class QuietKernel(IPythonKernel):
    """The IPython kernel with the quiet shell."""

    shell_class = QuietShell


def _fonts() -> None:
    # matplotlib asks the system for its fonts once, by another program: before the guard.
    if not list(Path(os.environ["MPLCONFIGDIR"]).glob("fontlist*.json")):
        import matplotlib.font_manager  # noqa: F401 - the import writes the list


def main() -> None:
    """Start the kernel; in a stage guarded, and gone when its parent is gone."""
    os.umask(0o077)  # what the desk writes is nobody else's, as in the pipeline
    in_stage = not on_desk()
    if in_stage and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    app = IPKernelApp.instance(kernel_class=QuietKernel)
    app.config.HistoryManager.enabled = not in_stage
    # A folder in a warning would differ from clone to clone.
    warnings.formatwarning = lambda message, category, filename, lineno, line=None: (
        f"{Path(filename).name}:{lineno}: {category.__name__}: {message}\n"
    )
    # ibis 12 asks pandas 3 for an option of pandas 2 at every memtable.
    warnings.filterwarnings("ignore", message=".*future.infer_string.*")
    app.initialize()
    if in_stage:
        _fonts()
        if os.environ.get("LEAP_ENGINE") == "spark":
            engine()  # starts a program: before the guard
        guard()
    else:
        hushed(sys.stdout)
        hushed(sys.stderr)
    # nbval sets it: it compares with what a stage shows.
    if not in_stage and app.shell is not None and "LEAP_PROGRESS" not in os.environ:
        for name in os.environ.get("LEAP_DESK", "").split():
            app.shell.extension_manager.load_extension(name)
    app.start()


def install(prefix: Path, extension: str = "") -> Path:
    """Install the kernels `leap` and `leap-explore` below `prefix`, and return their place.

    `extension` is loaded on the desk alone, never in a stage.
    """
    place = prefix / "share/jupyter/kernels"
    _specify(place / "leap", "leap", SHARED | {"LEAP_DESK": extension})
    _specify(place / EXPLORE_KERNEL, "leap (exploratory)", SHARED | {"LEAP_EXPLORATORY": "1"})
    return place


def _specify(place: Path, name: str, env: dict[str, str]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "leap_eval.pipeline.kernel", "-f", "{connection_file}"]
    spec = {
        "argv": argv,
        "display_name": name,
        "env": env,
        "language": "python",
        "metadata": {"debugger": False},
    }
    (place / "kernel.json").write_text(json.dumps(spec, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
