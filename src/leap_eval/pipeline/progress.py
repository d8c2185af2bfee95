"""Progress that leaves no trace in a notebook."""

from __future__ import annotations

import html
import os
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from leap_eval.store.files import on_desk

Item = TypeVar("Item")
EVERY = 0.2


def track(items: Iterable[Item], words: str, total: int | None = None) -> Iterator[Item]:
    """Yield `items` and show how far they are: to the runner, on the desk, or in the terminal.

    Under the runner a line goes to the file named in LEAP_PROGRESS and nothing is
    printed, because printed progress would be in the executed notebook.
    """
    known = total if total is not None else (len(items) if isinstance(items, Sized) else None)
    if place := os.environ.get("LEAP_PROGRESS"):
        return _told(items, words, known, place)
    if on_desk():
        return _drawn(items, words, known)
    from tqdm import tqdm

    return iter(tqdm(items, desc=words, total=known, leave=False))


def _told(items: Iterable[Item], words: str, total: int | None, place: str) -> Iterator[Item]:
    for number, item in enumerate(items, start=1):
        _note(place, f"{words}\t{number}\t{total or 0}")
        yield item
    _note(place, "")


def _note(place: str, line: str) -> None:
    with open(place, "w", encoding="utf-8") as file:
        file.write(line)


def _drawn(items: Iterable[Item], words: str, total: int | None) -> Iterator[Item]:
    """Show one bar in the notebook, and take it away at the end."""
    from IPython.display import HTML, display

    bar, last = display(HTML(""), display_id=True), 0.0
    for number, item in enumerate(items, start=1):
        if time.monotonic() - last >= EVERY:
            bar.update(HTML(_bar(words, number, total)))
            last = time.monotonic()
        yield item
    bar.update(HTML(""))


def _bar(words: str, number: int, total: int | None) -> str:
    limits = f' value="{number}" max="{total}"' if total else ""
    count = f"{number} of {total}" if total else str(number)
    return f"<label><progress{limits}></progress> {html.escape(words)}: {count}</label>"
