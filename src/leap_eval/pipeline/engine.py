"""The papermill engine `leap`: runs in a private room and leaves no clock, path or random id."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine

Told = Callable[[int, int], None]
ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class LeapEngine(NBClientEngine):  # type: ignore[misc]
    """Executes a notebook over Unix sockets and strips what two runs could never share."""

    @classmethod
    def execute_notebook(cls, nb: NotebookNode, kernel_name: str, **kwargs: Any) -> NotebookNode:
        """Run `nb` and return it with nothing but sources, outputs and its parameters."""
        for cell in nb.cells:
            # papermill draws a random id for the cell it injects.
            if "injected-parameters" in cell.metadata.get("tags", []):
                cell["id"] = "injected-parameters"
        return tidy(super().execute_notebook(nb, kernel_name, **kwargs))

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        room: Path = Path(),
        env: dict[str, str] | None = None,
        told: Told | None = None,
        **kwargs: Any,
    ) -> Any:
        """Run the cells; `room` is private and holds the sockets, `env` is all the kernel gets."""
        manager = AsyncKernelManager(kernel_name=kernel_name, transport="ipc")
        manager.connection_file = str(room / "k.json")
        total = len(nb_man.nb.cells)
        client = PapermillNotebookClient(
            nb_man,
            km=manager,
            record_timing=False,
            timeout=None,
            startup_timeout=120,
            on_cell_start=(lambda cell, cell_index: told(cell_index + 1, total)) if told else None,
        )
        return client.execute(env=env)


def tidy(nb: NotebookNode) -> NotebookNode:
    """Return `nb` without times, paths and versions, and with joined streams."""
    ran = nb.metadata.pop("papermill", {})
    nb.metadata.papermill = {"parameters": ran.get("parameters", {})}
    nb.metadata.language_info = {"name": "python"}
    for cell in nb.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
    return nb


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        stream = output.output_type == "stream"
        if stream:
            output.text = ADDRESS.sub("", output.text)
        if (
            stream
            and last is not None
            and last.output_type == "stream"
            and last.name == output.name
        ):
            last.text += output.text
        else:
            joined.append(output)
    return joined
