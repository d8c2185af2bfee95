"""The verb that draws a pretend LEAP and sends it through the real intake."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leap_eval.errors import SettingsError, StateError

if TYPE_CHECKING:
    from leap_eval.agreements import Agreement, Programme
    from leap_eval.intake.many import Room
    from leap_eval.store.delivery import Delivery
    from leap_eval.synthetic import Submission

OURS = "truth/world.json"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(demo)


def demo(
    children: Annotated[int, typer.Option(help="how many children to draw")] = 15_000,
    seed: Annotated[int, typer.Option(help="another seed is another LEAP")] = 2015,
    scenario: Annotated[str, typer.Option(help="demo, null (no effect), traps.NAME")] = "demo",
    out: Annotated[
        Path | None, typer.Option(help="write the submissions here; receive none")
    ] = None,
) -> None:
    """Draw a pretend LEAP and receive its submissions one by one, as if partners had sent them."""
    from leap_eval.agreements import load_agreements, load_programme
    from leap_eval.store import root
    from leap_eval.synthetic import draw, planted, portrait, records, submissions, truth_table
    from leap_eval.synthetic.tables import links_of
    from leap_eval.tokens import load_keys

    started = time.monotonic()
    programme, terms = load_programme(root()), load_agreements(root())
    place = _cleared(programme.state, out)
    world = draw(planted(scenario), seed, children)
    held = records(world)
    sent = submissions(world, held, terms)
    if out is None:
        _received(sent, terms, programme)
    else:
        _laid_out(sent, place)
    keys = load_keys(None, "demo")
    truth = {
        "effects.csv": truth_table(world).to_csv(index=False, lineterminator="\n").encode(),
        "intake.csv": _fates(sent),
        "canaries.txt": "\n".join(_canaries(held.people)).encode(),
        "links.parquet": _parquet(links_of(world, held, keys)),
        "people.parquet": _parquet(held.people),
    }  # fmt: skip
    figures = portrait(world, held)
    _truth(
        place / "truth",
        truth,
        {"children": children, "seed": seed, "scenario": scenario, "portrait": figures},
    )
    typer.echo(
        f"{children} children, {len(held.contacts)} contacts, {len(sent)} submissions, "
        f"{time.monotonic() - started:.0f} seconds, in {place.name}/"
    )


def _cleared(state: str, out: Path | None) -> Path:
    from leap_eval.store import root

    if state != "demo":
        raise StateError(
            f"programme.yaml: state is {state}; pretend people must not meet real ones"
        )
    place = out or root()
    ours = (place / OURS).is_file() or (place / "truth/unfinished").is_file()
    if out is not None and out.exists() and any(out.iterdir()) and not ours:
        raise SettingsError("--out: is not empty and not a demo's; name an empty folder")
    if out is None and any((place / "data").glob("extracts/*/*")) and not ours:
        raise StateError("data/: was not filed by the demo; move it away first, nothing is written")
    for name in (
        "truth",
        *(("data/extracts", "data/linkage", ".leap/office") if out is None else ()),
    ):
        shutil.rmtree(place / name, ignore_errors=True)
    (place / "truth").mkdir(parents=True, mode=0o700)
    (place / "truth/unfinished").write_text(
        "the demo has not finished; run it again\n", encoding="utf-8"
    )
    return place


def _received(sent: list[Submission], terms: dict[str, Agreement], programme: Programme) -> None:
    from leap_eval.intake import flow
    from leap_eval.intake.many import Room, receive_all
    from leap_eval.pipeline import track
    from leap_eval.store.delivery import Delivery
    from leap_eval.tokens import load_keys

    if programme.as_at is None:
        raise SettingsError("programme.yaml, as_at: is missing; a demo needs its clock")
    room = Room(terms, programme, load_keys(None, "demo"), programme.as_at)
    raw = [Delivery(s.partner, s.period, s.sequence, s.shared_on, s.content) for s in sent]
    clear = {(s.partner, s.period, s.sequence) for s in sent if s.clear}
    prepare = partial(_prepared, room=room, clear=clear)
    wrong = []
    for place, reception in track(receive_all(raw, room, prepare), "receiving", total=len(sent)):
        s = sent[place]
        expected = "filed" if s.verdict == "replaced" else s.verdict
        if reception.verdict != expected:
            words = f"{reception.verdict} ({flow.rule_words(reception)})"
            wrong.append(f"{s.partner} {s.period}-{s.sequence}: {words}")
    if wrong:
        raise StateError("\n  ".join(["the intake did not do what was planted:", *wrong]))


def _prepared(raw: Delivery, room: Room, clear: set[tuple[str, str, int]]) -> Delivery:
    """Do what happens at the partner: a trust pseudonymises, unless it wrongly sends in clear."""
    from leap_eval.intake.flow import signing_key
    from leap_eval.intake.partner_side import TrustKeys, pseudonymise
    from leap_eval.tokens.keys import demo_key

    terms = room.agreements[raw.partner]
    if terms.kind != "nhs_trust" or (raw.partner, raw.period, raw.sequence) in clear:
        return raw
    trust = (demo_key("link"), demo_key(f"person {raw.partner}"), signing_key(raw.partner, "demo"))
    return pseudonymise(raw, terms, room.programme, TrustKeys(*trust), raw.shared_on)


def _laid_out(sent: list[Submission], place: Path) -> None:
    from leap_eval.store.files import write_bytes

    for s in sent:
        for name, data in s.content.items():
            write_bytes(place / s.partner / f"{s.period}-{s.sequence}" / name, data)


def _fates(sent: list[Submission]) -> bytes:
    out = io.StringIO()
    rows = ([s.partner, s.period, s.sequence, s.verdict, s.rows] for s in sent)
    head = ["partner", "period", "sequence", "verdict", "rows"]
    csv.writer(out, lineterminator="\n").writerows([head, *rows])
    return out.getvalue().encode()


def _canaries(people: Any) -> list[str]:
    return sorted({*people.nhs[:200], *people.forename[:200]} - {""})


def _parquet(frame: Any) -> bytes:
    import pyarrow as pa

    from leap_eval.store.parquet import as_bytes

    table = pa.Table.from_pandas(frame, preserve_index=False)
    return as_bytes(table.replace_schema_metadata(None))


def _truth(place: Path, files: dict[str, bytes], told: dict[str, Any]) -> None:
    from leap_eval.store.files import write_bytes

    for name, data in files.items():
        write_bytes(place / name, data)
    told["sha256"] = {
        name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())
    }
    # Last: a folder without it is unfinished.
    write_bytes(place / "world.json", (json.dumps(told, sort_keys=True, indent=1) + "\n").encode())
    (place / "unfinished").unlink()
