"""The guard of a stage's room: a rail with a clear message, not a wall.

The wall is the operating system's user, the storage rights and, where it can be had, a network
namespace.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from leap_eval import errors

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def guard() -> None:
    """Refuse connections, other programs, and files of the workspace that are not this stage's."""
    allowed = tuple(json.loads(os.environ["LEAP_MAY_OPEN"]))
    home = os.path.realpath(os.environ["LEAP_ROOT"]) + os.sep
    # Spark's own process answers on this machine's loopback.
    near = LOOPBACK if os.environ.get("LEAP_ENGINE") == "spark" else ()
    stage, keys = os.environ["LEAP_STAGE"], os.environ.get("LEAP_KEYS_PLACE")
    programs = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")

    def refuse(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(args[0], (str, bytes)):
            path = os.path.realpath(os.fsdecode(args[0]))
            inside = path.startswith(home) and not path[len(home) :].startswith(allowed)
            if inside or (keys and path.startswith(keys)):
                place = os.path.relpath(path, home)
                raise errors.StageError(f"{stage}: {place} is not its own; read through store")
        elif event == "socket.connect" and isinstance(args[1], tuple) and args[1][0] not in near:
            raise errors.StageError(f"{stage}: a stage has no network; take the line out")
        elif event in programs:
            raise errors.StageError(f"{stage}: a stage starts no program; take the line out")

    sys.addaudithook(refuse)
