"""What does somebody learn who holds our tokens, and the same people's names in another file?

python benchmarks/token_attack.py (--left A.csv --right B.csv [--truth T.csv] | --demo CHILDREN)
       [--records 6000] [--seed N]

The target is A.csv as tokens under a key drawn for this run; the attacker has B.csv in clear and
no key. Attacks: by rank (the commonest token is the commonest name), by graph (which tokens are
shared with how many records, theirs and their neighbours', nearest in the clear file), by
dictionary (every person of B under keys a guesser would try). For tier A (what leaves a partner),
tier B (what the intake keeps), each with and without the lists of near values. "got": of all
records, those whose forename and surname are told right. "best": of every column ranked and both
graphs, the attack that told most, and what the best of as many gets by luck, the same guesses
dealt out to other records: its mean, and what one try in twenty exceeds. `--demo`: the hospital's
records of a fresh pretend LEAP, families and repeats among them, and the very same file in clear.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from collections import Counter
from typing import Any

import linkage
import numpy as np
from sklearn.neighbors import NearestNeighbors

from leap_eval import tokens
from leap_eval.synthetic import draw as drawn
from leap_eval.synthetic import planted
from leap_eval.synthetic.places import places
from leap_eval.synthetic.tables import records
from leap_eval.tokens import forms as made_of
from leap_eval.tokens import near

Column = list[Any]  # a token or a value per record; None where it is missing
GUESSED = ("", "0" * 64, "password", "leap", "lambeth", "secret", "changeme", "link")


def people_of(rows: list[dict[str, str]]) -> list[tokens.Person]:
    fields = ("given_name", "surname", "date_of_birth", "postcode")
    return [tokens.Person(*(r.get(f) or None for f in fields)) for r in rows]


def in_clear(people: list[tokens.Person], tier: str) -> tuple[dict[str, Column], dict[str, Column]]:
    """Return what the attacker can build from names: each compound's values, no token."""
    told = [made_of.forms(p) for p in people]
    singles = {c: forms for c, (_, forms) in made_of.SINGLES.items()}
    if tier == "AB":
        singles |= {c: (form,) for c, (_, form) in made_of.SINGLES_B.items()}
    lists = dict(made_of.LISTS)
    if tier == "AB":
        lists |= {c: (field, form, "") for c, (field, form) in made_of.NEAR_B.items()}
    alone = {
        c: [tuple(t[f] for f in forms) if all(f in t for f in forms) else None for t in told]
        for c, forms in singles.items()
    }
    close = {
        c: [
            tuple((e, t.get(whole, "")) for e in near.of(field, t[form]))
            if form in t and (not whole or whole in t)
            else None
            for t in told
        ]
        for c, (field, form, whole) in lists.items()
    }
    return (alone, close) if tier == "AB" else (_own(alone), _own(close))


def _own(columns: dict[str, Column]) -> dict[str, Column]:
    """Do as tier A does: what two people of the file bear, each bears as one of their own."""
    made = {c: cells for c, cells in columns.items() if c in made_of.TOLD_ANYWAY}
    for c in columns.keys() - made.keys():
        many = c in made_of.LISTS
        marks = [(cell if many else (cell,)) if cell else () for cell in columns[c]]
        counts = Counter(m for some in marks for m in set(some))
        told = [
            tuple(m if counts[m] == 1 else (*m, row) for m in some)
            for row, some in enumerate(marks)
        ]
        made[c] = [(some if many else some[0]) if some else None for some in told]
    return {c: made[c] for c in columns}


def as_tokens(
    people: list[tokens.Person], tier: str, key: bytes
) -> tuple[dict[str, Column], dict[str, Column]]:
    """Return what lies in the token file: columns of single tokens, columns of lists."""
    table = tokens.tokenise(people, key, tier)  # type: ignore[arg-type]
    singles, lists = tokens.columns(tier)  # type: ignore[arg-type]
    alone = {c: table.column(c).to_pylist() for c in singles if c not in made_of.IDS}
    close = {c: table.column(c).to_pylist() for c in lists if c not in made_of.LISTS_B}
    return alone, close


def by_rank(token: Column, value: Column) -> list[Any]:
    """Guess each record's value: the k-th most frequent token is the k-th most frequent value."""
    ranked = [v for v, _ in sorted(Counter(v for v in value if v).items(), key=_often)]
    order = [t for t, _ in sorted(Counter(t for t in token if t).items(), key=_often)]
    guess = dict(zip(order, ranked, strict=False))
    return [guess.get(t) for t in token]


def _often(counted: tuple[Any, int]) -> tuple[int, str]:
    return -counted[1], str(counted[0])


def shape(alone: dict[str, Column], close: dict[str, Column], lists: bool) -> Any:
    """Return each record's place in the graph: with how many records it shares what, twice over."""
    own = [_shared([(c,) if c is not None else () for c in column]) for column in alone.values()]
    if lists:
        own += [_shared([c or () for c in column]) for column in close.values()]
    first = np.log1p(np.column_stack(own))
    around = [_around(alone[c], first) for c in ("f_l", "l_p", "q_p", "f_q", "l_s")]
    return np.column_stack([first, *around])


def _shared(cells: list[Any]) -> Any:
    counts = Counter(e for cell in cells for e in set(cell))
    # A padded list's own elements are met by nobody else: they count for one each.
    return np.array([sum(counts[e] - 1 for e in set(cell)) if cell else -0.5 for cell in cells])


def _around(column: Column, first: Any) -> Any:
    sums: dict[Any, Any] = {}
    counts = Counter(column)
    for cell, row in zip(column, first, strict=True):
        sums[cell] = sums.get(cell, 0) + row
    return np.array([
        (sums[c] - row) / (counts[c] - 1) if c is not None and counts[c] > 1 else 0 * row
        for c, row in zip(column, first, strict=True)
    ])  # fmt: skip


def by_graph(target: Any, known: Any) -> Any:
    scale, lot = known.std(axis=0), np.random.default_rng(1)
    scale[scale < 1e-6] = 1  # a column all alike tells nothing, and must not drown the rest
    # Whoever shares nothing looks like all who share nothing: among them the lot decides.
    told, clear = (np.c_[s / scale, 1e-3 * lot.random(len(s))] for s in (target, known))
    return NearestNeighbors(n_neighbors=1).fit(clear).kneighbors(told)[1].ravel()


def share(right: list[bool]) -> float:
    return round(100 * sum(right) / len(right), 3)


def attacked(left: Any, right: Any, tier: str, key: bytes) -> dict[str, Any]:
    target, known = as_tokens(left, tier, key), in_clear(right, tier)
    names = [(f.get("f"), f.get("l")) for f in map(made_of.forms, left)]
    clear = [(f.get("f"), f.get("l")) for f in map(made_of.forms, right)]

    def got(guess: list[Any]) -> dict[str, float]:
        pairs = [(g or (None, None))[:2] for g in guess]
        return {
            "forename": share(
                [g[0] == n[0] is not None for g, n in zip(pairs, names, strict=True)]
            ),
            "surname": share([g[1] == n[1] is not None for g, n in zip(pairs, names, strict=True)]),
            "both": share([g == n and None not in n for g, n in zip(pairs, names, strict=True)]),
        }

    ranks = {c: by_rank(target[0][c], known[0][c]) for c in known[0]}
    told: dict[str, Any] = {"rank": got(ranks["f_l"])}
    near = {}
    for lists in (False, True):
        place = by_graph(shape(*target, lists), shape(*known, lists))
        attack = "graph_with_lists" if lists else "graph"
        near[attack] = [clear[i] for i in place]
        told[attack] = got(near[attack])
    forms = {c: f for c, (_, f) in made_of.SINGLES.items() if c not in ("l_f", "g_flp")}
    if tier == "AB":
        forms |= {c: (f,) for c, (_, f) in made_of.SINGLES_B.items()}
    for place, letter in enumerate("fl"):
        guesses = {
            c: [g and g[f.index(letter)] for g in ranks[c]] for c, f in forms.items() if letter in f
        }
        guesses |= {attack: [n[place] for n in who] for attack, who in near.items()}
        told[f"best_{('forename', 'surname')[place]}"] = best(guesses, [n[place] for n in names])
    alone = {c: _alone(target[0][c]) for c in ("f_l", "f_q", "l_q", "q_p", "f_p", "l_p")}
    return told | {"tokens_held_by_one_record": alone}


def best(guesses: dict[str, Column], truth: Column, tries: int = 400) -> dict[str, Any]:
    """Return the attack that told most, and what the best of as many gets by luck."""
    code = {name: n for n, name in enumerate(sorted({*truth} - {None}))}
    meant = np.array([code.get(name, -1) for name in truth])
    made = np.array([[code.get(g, -2) for g in guess] for guess in guesses.values()])
    right = 100 * (made == meant).mean(axis=1)
    deal = np.random.default_rng(1)
    luck = [100 * (made == deal.permutation(meant)).mean(axis=1).max() for _ in range(tries)]
    return {
        "attack": list(guesses)[int(right.argmax())],
        "got": round(float(right.max()), 3),
        "luck": round(float(np.mean(luck)), 3),
        "luck_95": round(float(np.quantile(luck, 0.95)), 3),
    }


def _alone(column: Column) -> float:
    counts = Counter(c for c in column if c is not None)
    return round(sum(n == 1 for n in counts.values()) / max(len(counts), 1), 3)


def by_lot(left: Any, right: Any) -> dict[str, float]:
    """Return what drawing a name out of the clear file for each record would get."""
    both = [[(f.get("f"), f.get("l")) for f in map(made_of.forms, p)] for p in (left, right)]
    picks = {"forename": lambda n: n[0], "surname": lambda n: n[1], "both": lambda n: n}
    told = {}
    for word, pick in picks.items():
        one, two = (Counter(pick(n) for n in names if None not in n) for names in both)
        met = sum(k * two[v] for v, k in one.items())
        told[word] = round(100 * met / (len(left) * len(right)), 3)
    return told


def by_commonest(left: Any, right: Any) -> dict[str, float]:
    """Return what the clear file's commonest name, said of everybody, would get."""
    both = [[(f.get("f"), f.get("l")) for f in map(made_of.forms, p)] for p in (left, right)]
    picks = {"forename": lambda n: n[0], "surname": lambda n: n[1], "both": lambda n: n}
    told = {}
    for word, pick in picks.items():
        one, two = ([pick(n) for n in names if None not in n] for names in both)
        told[word] = round(100 * one.count(Counter(two).most_common(1)[0][0]) / len(left), 3)
    return told


def by_dictionary(left: Any, right: Any, key: bytes) -> dict[str, Any]:
    """Try every person of the clear file under guessed keys, and under the key itself."""
    held = set(as_tokens(left, "A", key)[0]["f_l"]) - {None}
    pairs = {(f["f"], f["l"]) for f in map(made_of.forms, right) if "f" in f and "l" in f}

    def hits(guess: bytes) -> int:
        return len(held & {tokens.token(guess, "f_l", *p) for p in pairs})

    plain = {hashlib.sha256("".join(p).encode()).digest()[:16] for p in pairs}
    start = time.perf_counter()
    with_key = {tokens.token(key, "f_l", *p) for p in pairs}
    pace = len(pairs) / (time.perf_counter() - start)
    target = as_tokens(left, "A", key)[0]["f_l"]
    return {
        "no_key": sum(hits(hashlib.sha256(g.encode()).digest()) for g in GUESSED)
        + sum(hits(g.encode()) for g in GUESSED)
        + len(held & plain),
        "keys_tried": 2 * len(GUESSED) + 1,
        "with_key": share([t in with_key for t in target]),
        "tries_a_second": round(pace),
        "hours_for_all_nhs_numbers_with_key": round(1e9 / pace / 3600, 1),
    }


def chosen(told: argparse.Namespace, draw: random.Random) -> Any:
    """Return the people of both files; with a truth, the worst case: the same people in both."""
    rows = [linkage.read(path) for path in (told.left, told.right)]
    if told.truth:
        with open(told.truth, encoding="utf-8") as file:
            pairs = sorted(tuple(line.strip().split(",")) for line in file)[1:]
        kept = draw.sample(pairs, min(told.records, len(pairs)))
        sides = [{pair[n] for pair in kept} for n in (0, 1)]
        rows = [[r for r in some if r["id"] in ids] for some, ids in zip(rows, sides, strict=True)]
    return [people_of(some[: told.records]) for some in rows]


def pretend(children: int, seed: int) -> list[tokens.Person]:
    """Return the children of the hospital, which sends tier A, in a fresh pretend LEAP."""
    held = records(drawn(planted("demo"), seed, children)).people
    held = held[held.child & (held.partner == "riverside_hospital")]
    homes = [places().postcode[n] for n in held.postcode]
    told = zip(held.forename, held.surname, held.birth, homes, strict=True)
    return [tokens.Person(*(field or None for field in row)) for row in told]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--left")
    parser.add_argument("--right")
    parser.add_argument("--demo", type=int, metavar="CHILDREN")
    parser.add_argument("--truth", help="to choose people who are in both files")
    parser.add_argument("--records", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    told = parser.parse_args()
    draw = random.Random(told.seed)
    key = draw.randbytes(32)
    left, right = [pretend(told.demo, told.seed)] * 2 if told.demo else chosen(told, draw)
    names = [(f.get("f"), f.get("l")) for f in map(made_of.forms, left)]
    known = _names(right)
    made = {
        "records": [len(left), len(right)],
        "in_both_files": share([n in known for n in names]),
        "guess_commonest": by_commonest(left, right),
        "guess_by_lot": by_lot(left, right),
        "tier_a": attacked(left, right, "A", key),
        "tier_b": attacked(left, right, "AB", key),
        "dictionary": by_dictionary(left, right, key),
    }
    print(json.dumps(made))


def _names(people: list[tokens.Person]) -> set[tuple[str | None, str | None]]:
    return {(f.get("f"), f.get("l")) for f in map(made_of.forms, people)}


if __name__ == "__main__":
    main()
