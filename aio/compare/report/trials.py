"""Experiments' figures as tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aio.compare.amounts import NOTHING, duration, three_digits

# A kind of call has all of these, as "cold_count", "cold_slept" ...
_CALLS = {
    "count": "calls",
    "slept": "slept",
    "median_us": "median",
    "p99_us": "p99",
    "max_us": "max",
}
CALL_HEADINGS = ("", *_CALLS.values())


@dataclass(frozen=True, slots=True)
class Trial:
    """Rows for CALL_HEADINGS, and other figures."""

    calls: list[list[str]]
    others: list[tuple[str, str]]


def trial(found: Mapping[str, Any]) -> Trial:
    """The figures of an experiment, sorted by their names."""
    kinds = [name.removesuffix("_count") for name in found if name.endswith("_count")]
    calls = [
        [_words(kind), *(_amount(key, found.get(f"{kind}_{key}")) for key in _CALLS)]
        for kind in kinds
    ]
    shown = {f"{kind}_{key}" for kind in kinds for key in _CALLS}
    others = [
        (_words(name.removesuffix("_us")), _amount(name, value))
        for name, value in found.items()
        if name not in shown
    ]
    return Trial(calls, others)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _amount(name: str, value: object) -> str:
    match value:
        case None:
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case int() | float() if name.endswith("_us"):
            return duration(value)
        case float():
            return three_digits(value)
        case list() | tuple():
            return ", ".join(_amount(name, each) for each in value)
        case _:
            return str(value)
