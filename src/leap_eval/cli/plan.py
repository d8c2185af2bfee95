"""Verbs of the analysis plan: show it, freeze it, compare it with what was frozen."""

from __future__ import annotations

import difflib
import json
import subprocess
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from leap_eval.settings import Plan


def register(app: typer.Typer) -> None:
    """Add `plan show`, `plan freeze` and `plan diff`."""
    verbs = typer.Typer(
        no_args_is_help=True,
        help="The analysis plan of params.yaml: show it, freeze it, see what changed.",
    )
    verbs.command()(show)
    verbs.command()(freeze)
    verbs.command()(diff)
    app.add_typer(verbs, name="plan")


def show() -> None:
    """Print the target trials, the outcomes, and how the plan stands."""
    from leap_eval.settings import load_frozen, load_plan, plan_hash, status_of
    from leap_eval.store import root

    plan = load_plan(root())
    typer.echo("\n".join(_shown(plan)))
    typer.echo(f"plan {plan_hash(plan)}: {status_of(plan, load_frozen(root()))}")


def freeze(
    why: Annotated[str, typer.Option(help="why the plan is laid down, or changed, today")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Lay the plan down: add its hash, the day and the reason to `plan_frozen`."""
    from leap_eval.errors import PlanError
    from leap_eval.settings import load_frozen, load_plan, plan_hash
    from leap_eval.store import root
    from leap_eval.store.files import write_text

    home = root()
    sha256 = plan_hash(load_plan(home))
    if any(line.sha256 == sha256 for line in load_frozen(home)):
        raise PlanError("params.yaml, plan: is frozen already; change it first, then freeze")
    typer.echo("\n".join(_detectable(home)))
    if not yes:
        typer.confirm("freeze this plan?", abort=True)
    line = {
        "sha256": sha256,
        "on": date.today().isoformat(),
        "before_outcomes": not outcomes_opened(home),
        "why": why,
    }
    path = home / "params.yaml"
    write_text(path, appended(path.read_text(encoding="utf-8"), line))
    typer.echo(f"frozen {sha256}, before outcomes: {'yes' if line['before_outcomes'] else 'no'}")


def diff() -> None:
    """Print what has changed in the plan since it was last frozen."""
    from leap_eval.errors import PlanError
    from leap_eval.settings import load_frozen, load_plan
    from leap_eval.store import root

    frozen = load_frozen(root())
    if not frozen:
        raise PlanError("params.yaml, plan_frozen: is empty; run `leap-eval plan freeze`")
    earlier = _earlier(root(), frozen[-1].sha256)
    if earlier is None:
        raise PlanError("git history: holds no plan with the frozen hash; compare by hand")
    now = _lines(load_plan(root()))
    lines = difflib.unified_diff(_lines(earlier), now, "frozen", "now", n=1, lineterm="")
    typer.echo("\n".join(lines) or "nothing has changed since the plan was frozen")


def outcomes_opened(home: Path) -> bool:
    """Tell whether stage 06 has ever run here: by the run log, or by any dvc.lock in git."""
    log = home / "work/runs.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    if any(json.loads(line).get("stage") == "effects" for line in lines):
        return True
    lock = home / "dvc.lock"
    if lock.is_file() and "effects@" in lock.read_text(encoding="utf-8"):
        return True
    return bool(_git(home, "log", "--format=%h", "-S", "effects@", "--", "dvc.lock").strip())


def appended(text: str, line: dict[str, Any]) -> str:
    """Return params.yaml with one more line of `plan_frozen`; the rest stays as it was typed."""
    told = json.dumps(line, ensure_ascii=False)
    if "plan_frozen: []" in text:
        return text.replace("plan_frozen: []", f"plan_frozen:\n- {told}")
    before, key, after = text.partition("\nplan_frozen:\n")
    lines = after.splitlines(keepends=True)
    last = next((i for i, row in enumerate(lines) if not row.startswith("- ")), len(lines))
    return before + key + "".join([*lines[:last], f"- {told}\n", *lines[last:]])


def _shown(plan: Plan) -> list[str]:
    told = [plan.question, ""]
    for name, trial in plan.trials.items():
        told.append(f"trial {name}: time zero {trial.time_zero} months, grace {plan.months.grace}")
        told.append(f"  in play: {', '.join(trial.in_play)}")
    for name, rule in plan.outcomes.items():
        told.append(
            f"outcome {name}: trial {rule.trial}, {rule.age[0]}-{rule.age[1]} months, "
            f"{rule.better} is better, share of the false discovery rate {rule.fdr_share:g}"
        )
    return [*told, f"background: {', '.join([*plan.covariates, *plan.adjust_also])}"]


def _detectable(home: Path) -> list[str]:
    path = home / "results/design/detectable.json"
    if not path.is_file():
        return ["no design yet: `dvc repro design` would show what could be found"]
    rows = json.loads(path.read_bytes())["value"]
    return ["smallest differences found with power .80, in SD:"] + [
        f"  {row['set']}, {row['arm']}: {row['mde80']:.2f}" for row in rows
    ]


def _earlier(home: Path, sha256: str) -> Plan | None:
    from leap_eval.errors import LeapError
    from leap_eval.settings import parse_plan, plan_hash
    from leap_eval.settings.params import read_yaml

    for commit in _git(home, "log", "--format=%H", "--", "params.yaml").split():
        try:
            raw = read_yaml(_git(home, "show", f"{commit}:params.yaml"), "params.yaml")
            plan = parse_plan(raw["plan"])
        except (LeapError, KeyError, TypeError):
            continue
        if plan_hash(plan) == sha256:
            return plan
    return None


def _lines(plan: Plan) -> list[str]:
    return json.dumps(plan.model_dump(mode="json", by_alias=True), indent=1).splitlines()


def _git(home: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=home, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
