"""Many submissions at once: partners side by side, each partner's in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from multiprocessing import get_context

from leap_eval.agreements.agreement import Agreement
from leap_eval.agreements.programme import Programme
from leap_eval.intake.filing import Reception
from leap_eval.intake.flow import take
from leap_eval.store import office
from leap_eval.store.delivery import Delivery
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

    A partner's submissions are taken in the order given, by one worker, which remembers the
    tokens it made; partners do not depend on one another and are taken side by side. `prepare`
    is what happens on the partner's side before anything is sent. Receptions come without tables.
    """
    partners: dict[str, list[int]] = {}
    for place, delivery in enumerate(deliveries):
        partners.setdefault(delivery.partner, []).append(place)
    sizes = {p: sum(_size(deliveries[i]) for i in told) for p, told in partners.items()}
    waiting = [partners[p] for p in sorted(partners, key=lambda p: (sizes[p], p))]
    with ExitStack() as stack:
        desks = [
            stack.enter_context(ProcessPoolExecutor(1, mp_context=get_context("fork")))
            for _ in range(min(workers, len(waiting)))
        ]
        running = {_next(desk, waiting.pop(), deliveries, room, prepare) for desk in desks}
        while running:
            done, _ = wait([r.future for r in running], return_when=FIRST_COMPLETED)
            for one in [r for r in running if r.future in done]:
                running.remove(one)
                yield one.place, one.future.result()
                if rest := one.rest or (waiting.pop() if waiting else []):
                    running.add(_next(one.desk, rest, deliveries, room, prepare))


@dataclass(frozen=True, slots=True, eq=False)
class _Running:
    desk: ProcessPoolExecutor
    place: int
    rest: list[int]
    future: Future[Reception]


def _next(
    desk: ProcessPoolExecutor,
    places: list[int],
    deliveries: Sequence[Delivery],
    room: Room,
    prepare: Make,
) -> _Running:
    place, *rest = places
    return _Running(desk, place, rest, desk.submit(_taken, deliveries[place], room, prepare))


def _size(delivery: Delivery) -> int:
    return sum(len(data) for data in delivery.content.values())


def _taken(raw: Delivery, room: Room, prepare: Make) -> Reception:
    delivery = prepare(raw)
    office.deliver(delivery)
    terms = room.agreements[delivery.partner]
    done = take(delivery, terms, room.programme, room.keys, room.as_at, room.actor)
    bare = Delivery(raw.partner, raw.period, raw.sequence, raw.shared_on, {})
    return replace(done, delivery=bare, tables={}, tokens=None)
