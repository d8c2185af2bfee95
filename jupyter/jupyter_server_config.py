"""The desk: JupyterLab on this machine alone, and no row of a child on disk."""

import os
import tempfile

from tornado.web import HTTPError
from traitlets.config import get_config

MADE_BY_THE_PIPELINE = ("data/", "work/", "results/", "release/")
DESK = "work/desk/"


def keep_clean(model, path="", **_):
    """Save a notebook as git holds it: without outputs, versions of the kernel, or changed results.

    The screen keeps the outputs; the disk never sees them.
    """
    place = path.lstrip("/")
    if place.startswith(MADE_BY_THE_PIPELINE) and not place.startswith(DESK):
        raise HTTPError(403, "made by the pipeline: read it here, change it in notebooks/")
    if model["type"] == "notebook" and model["content"]["nbformat"] == 4:
        model["content"]["metadata"]["language_info"] = {"name": "python"}
        for cell in model["content"]["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
                cell["metadata"].pop("execution", None)


os.umask(0o077)
c = get_config()
c.ServerApp.ip = "127.0.0.1"
c.ServerApp.root_dir = "."
c.FileContentsManager.pre_save_hook = keep_clean
c.FileCheckpoints.checkpoint_dir = tempfile.mkdtemp(prefix="leap-checkpoints-")
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.extension_manager = "readonly"
c.MappingKernelManager.default_kernel_name = "leap"
