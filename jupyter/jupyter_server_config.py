"""The desk: JupyterLab on this machine alone, and no row of a child on disk."""

import tempfile

from traitlets.config import get_config


def empty_outputs(model, **_):
    """Save a notebook without outputs: the screen keeps them, the disk never sees them."""
    if model["type"] == "notebook" and model["content"]["nbformat"] == 4:
        for cell in model["content"]["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None


c = get_config()
c.ServerApp.ip = "127.0.0.1"
c.ServerApp.root_dir = "."
c.FileContentsManager.pre_save_hook = empty_outputs
c.FileCheckpoints.checkpoint_dir = tempfile.mkdtemp(prefix="leap-checkpoints-")
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.extension_manager = "readonly"
c.MappingKernelManager.default_kernel_name = "leap"
