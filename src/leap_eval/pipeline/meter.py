"""One bar for a stage: which cell runs, and how far the long loop inside it is."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

EVERY = 10.0


class Meter:
    """Shows stage, cell and innermost `track` on stderr; without a terminal a line now and then."""

    def __init__(self, words: str, note: Path) -> None:
        """Watch `note`, the file the kernel's `track` writes."""
        self._words, self._note = words, note
        self._cell, self._total = 0, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def cell(self, number: int, total: int) -> None:
        """Tell that cell `number` of `total` starts."""
        self._cell, self._total = number, total

    def __enter__(self) -> Meter:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _inner(self) -> str:
        try:
            words, number, total = self._note.read_text(encoding="utf-8").split("\t")
        except (OSError, ValueError):
            return ""
        return f", {words} {number}{f' of {total}' if int(total) else ''}"

    def _line(self) -> str:
        return f"{self._words}: cell {self._cell} of {self._total}{self._inner()}"

    def _watch(self) -> None:
        if sys.stderr.isatty():
            self._bar()
        else:
            self._lines()

    def _lines(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(0.5):
            if time.monotonic() - last >= EVERY:
                print(self._line(), file=sys.stderr, flush=True)
                last = time.monotonic()

    def _bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns: tuple[Any, ...] = (
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(self._words, total=1)
            while not self._stop.wait(0.2):
                bar.update(
                    task, description=self._line(), completed=self._cell - 1, total=self._total or 1
                )
