"""Build synthetic/names.csv once, from Faker's lists (a development tool: Faker is no dependency).

python tools/build_name_pools.py > src/leap_eval/synthetic/names.csv
"""

import re
import sys
from importlib import import_module

POOLS = {
    "english": ["en_GB", "en_US"],
    "irish": ["en_IE", "ga_IE"],
    "european": ["pt_PT", "es_ES", "it_IT", "fr_FR", "de_DE", "ro_RO", "tr_TR"],
    "african": ["yo_NG", "ig_NG", "ha_NG", "en_NG", "tw_GH", "en_KE", "sw"],
    "latin": ["es_CO", "es_CL", "pt_BR", "fr_DZ"],
    "indian": ["en_IN"],
    "muslim": ["en_PK"],
    "chinese": ["vi_VN", "zh_CN", "zh_TW"],
}
MOST = {"f": 260, "m": 260, "s": 700}
LATIN = re.compile(r"^[A-Za-zÀ-ɏḀ-ỿ' -]{2,20}$")


def names(locale: str, kind: str) -> list[str]:
    """Return the names of a kind (f, m, s) in a locale that are in Latin script."""
    try:
        provider = import_module(f"faker.providers.person.{locale}").Provider
    except ModuleNotFoundError:
        return []
    wanted = {
        "f": ("first_names_female", "first_romanized_names", "first_names"),
        "m": ("first_names_male", "first_romanized_names", "first_names"),
        "s": ("last_names", "last_romanized_names"),
    }[kind]
    for attribute in wanted:
        found = [n for n in dict.fromkeys(getattr(provider, attribute, ())) if LATIN.match(n)]
        if found:
            return found
    return []


def pool(locales: list[str], kind: str) -> list[str]:
    """Return the pooled names, one locale after the other in turn."""
    lists = [found for locale in locales if (found := names(locale, kind))]
    turns = [lst[i] for i in range(max(map(len, lists))) for lst in lists if i < len(lst)]
    return list(dict.fromkeys(turns))[: MOST[kind]]


def main() -> None:
    """Print pool,kind,name in order of rank."""
    out = ["pool,kind,name"]
    out += [f"{p},{k},{n}" for p, loc in POOLS.items() for k in "fms" for n in pool(loc, k)]
    sys.stdout.write("\n".join(out) + "\n")


main()
