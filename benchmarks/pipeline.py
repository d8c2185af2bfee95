"""The whole house on two fresh clones: time, memory, equal bytes, what a change reruns.

    python benchmarks/pipeline.py [--clones 2] [--into DIR] [--touch PARTNER]

Clones the committed tree, runs `make findings` in each with another HOME, time zone and
hash seed, then a second `dvc repro`, then damages one partner's extract and asks DVC what
would rerun. The last line is JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("data", "work", "results", "release")
CLOCKED = ("runs.jsonl", ".lock")


def memory_mib(parent: int) -> float:
    """Return the resident memory of a process and all below it, in MiB."""
    children, sizes = {}, {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = status.read_text().rpartition(")")[2].split()
            children.setdefault(int(words[1]), []).append(int(status.parent.name))
            sizes[int(status.parent.name)] = int(words[21]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            continue
    total, waiting = 0, [parent]
    while waiting:
        one = waiting.pop()
        total += sizes.get(one, 0)
        waiting += children.get(one, [])
    return total / 2**20


def run(command: str, cwd: Path, env: dict[str, str]) -> dict[str, float]:
    """Run a command and return its exit code, seconds and peak memory of the whole tree."""
    began, peak = time.monotonic(), [0.0]
    process = subprocess.Popen(command, shell=True, cwd=cwd, env=env)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            peak[0] = max(peak[0], memory_mib(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    return {"exit": code, "seconds": round(time.monotonic() - began, 1), "peak_mib": round(peak[0])}


def digests(clone: Path) -> dict[str, str]:
    """Return the SHA-256 of every file the pipeline made, and of dvc.lock."""
    files = [f for name in FOLDERS for f in (clone / name).rglob("*") if f.is_file()]
    files = [f for f in [*files, clone / "dvc.lock"] if not any(c in f.as_posix() for c in CLOCKED)]
    return {
        f.relative_to(clone).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in files
    }


def touched(clone: Path, partner: str, env: dict[str, str]) -> list[str]:
    """Return the stages DVC would rerun after a change of one partner's extract."""
    path = sorted((clone / "data/extracts" / partner).rglob("contacts.parquet"))[0]
    before = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(before + b" ")
    told = subprocess.run(
        ["dvc", "status", "--json"], cwd=clone, env=env, capture_output=True, text=True, check=False
    )
    path.write_bytes(before)
    return sorted(json.loads(told.stdout))


def main() -> None:
    """Measure and print one JSON line."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--clones", type=int, default=2)
    options.add_argument("--into", type=Path, default=None, help="keep the clones here")
    options.add_argument(
        "--touch", default="healthy_table", help="the partner whose extract changes"
    )
    options.add_argument("--quick", action="store_true", help="one clone only")
    asked = options.parse_args()
    home = asked.into or Path(tempfile.mkdtemp())
    runs, made = [], []
    for number in range(1 if asked.quick else asked.clones):
        clone = home / f"clone-{number}" / ("deeper" * number)
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        (home / f"home-{number}").mkdir(parents=True)
        env = {k: v for k, v in os.environ.items() if k not in {"VIRTUAL_ENV", "LEAP_ROOT"}} | {
            "HOME": str(home / f"home-{number}"),
            "TZ": ["UTC", "Asia/Tokyo"][number % 2],
            "PYTHONHASHSEED": str(number),
        }
        first = run("make findings", clone, env)
        env["PATH"] = f"{clone / '.venv/bin'}:{env['PATH']}"
        runs.append({"findings": first, "again": run("dvc repro", clone, env)})
        made.append(digests(clone))
    differing = sorted(p for p in set().union(*made) if len({m.get(p) for m in made}) > 1)
    unlike = subprocess.run(
        ["git", "diff", "--quiet", "--", "dvc.lock", "data.dvc"], cwd=clone, check=False
    )
    told = {"runs": runs, "files": len(made[0]), "differing": differing}
    told |= {"as_committed": unlike.returncode == 0, "reruns": touched(clone, asked.touch, env)}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
