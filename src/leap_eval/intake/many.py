"""Many submissions at once: partners side by side, each partner's in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import date
from multiprocessing import get_context

from leap_eval.agreements.agreement import Agreement
from leap_eval.agreements.programme import Programme
from leap_eval.intake.filing import Reception
from leap_eval.intake.flow import take
from leap_eval.store import office
from leap_eval.store.office import Delivery
from leap_eval.tokens import Keys


@dataclass(frozen=True, slots=True)
class Room:
    """All that an intake of many submissions needs to know."""

    agreements: dict[str, Agreement]
    programme: Programme
    keys: Keys
    as_at: date
    actor: str = "intake"


Make = Callable[[Delivery], Delivery]


def receive_all(
    deliveries: Sequence[Delivery], room: Room, prepare: Make, workers: int = 2
) -> Iterator[tuple[int, Reception]]:
    """Deliver and receive submissions, and yield what became of each, with its place in the list.

    A partner's submissions are taken in the order given; partners do not depend on one another
    and are taken side by side. `prepare` is what happens on the partner's side before anything
    is sent. Receptions come without their tables.
    """
    partners: dict[str, list[tuple[int, Delivery]]] = {}
    for place, delivery in enumerate(deliveries):
        partners.setdefault(delivery.partner, []).append((place, delivery))
    sizes = {p: sum(_size(d) for _, d in told) for p, told in partners.items()}
    largest = sorted(partners, key=lambda p: (-sizes[p], p))
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        running = {pool.submit(_partner, partners[p], room, prepare): p for p in largest}
        for done in as_completed(running):
            yield from done.result()


def _size(delivery: Delivery) -> int:
    return sum(len(data) for data in delivery.content.values())


def _partner(
    told: list[tuple[int, Delivery]], room: Room, prepare: Make
) -> list[tuple[int, Reception]]:
    done = []
    for place, raw in told:
        delivery = prepare(raw)
        office.deliver(delivery)
        terms = room.agreements[delivery.partner]
        one = take(delivery, terms, room.programme, room.keys, room.as_at, room.actor)
        bare = Delivery(raw.partner, raw.period, raw.sequence, raw.shared_on, {})
        done.append((place, replace(one, delivery=bare, tables={}, tokens=None)))
    return done
