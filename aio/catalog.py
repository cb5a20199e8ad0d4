"""Which engines there are and what may be set: pure data, so that a configuration can be
checked without importing trio or cffi.

A spec is an engine's name, or `nowait+NAME`: the page-cache probe in front of it.  `nowait` alone
is `nowait+threads`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

PROBE = "nowait"
DEFAULT_SPEC = PROBE
_BEHIND_PROBE = "threads"


@dataclass(frozen=True, slots=True)
class Option:
    """A whole number that may be set, and what it does."""

    name: str
    minimum: int
    maximum: int
    default: int
    doc: str


@dataclass(frozen=True, slots=True)
class Spec:
    """A spec taken apart; `str()` is its canonical name."""

    engine: str
    probe: bool

    def __str__(self) -> str:
        return f"{PROBE}+{self.engine}" if self.probe else self.engine


_WORKERS = Option(
    "workers",
    minimum=1,
    maximum=1024,
    # A disk wants requests to sort; threads beyond what is in flight are never started.
    default=16,
    doc="worker threads, started as they are needed: how many requests wait for the disk at once",
)
_INLINE_LIMIT = Option(
    "inline_limit",
    minimum=4096,
    maximum=8 << 20,
    # Copying 1 MiB out of the cache takes 22 us, in which the loop does nothing else (measured).
    default=1 << 20,
    doc="longest request in bytes that is tried in the event loop; longer ones go to the engine",
)

ENGINES: Mapping[str, tuple[Option, ...]] = {"sync": (), "threads": (_WORKERS,)}
PROBE_OPTIONS = (_INLINE_LIMIT,)


def engine_names() -> list[str]:
    """Every spec that `open_engine` takes."""
    return [PROBE, *(f"{PROBE}+{name}" for name in ENGINES), *ENGINES]


def parse_spec(text: str) -> Spec:
    """Take a spec apart; ValueError says what would be right."""
    if text == PROBE:
        return Spec(_BEHIND_PROBE, probe=True)
    first, plus, rest = text.partition("+")
    if first == PROBE and plus and rest in ENGINES:
        return Spec(rest, probe=True)
    if text in ENGINES:
        return Spec(text, probe=False)
    raise ValueError(f"there is no engine {text!r}{_nearest(text, engine_names())}")


def options_of(spec: Spec) -> dict[str, Option]:
    """The options that a spec takes, by name."""
    options = ENGINES[spec.engine] + (PROBE_OPTIONS if spec.probe else ())
    return {option.name: option for option in options}


def check_options(spec: Spec, given: Mapping[str, object]) -> dict[str, int]:
    """Every option of the spec, as given or by default; ValueError says what would be right."""
    options = options_of(spec)
    for name in given:
        if name not in options:
            hint = _nearest(name, list(options))
            raise ValueError(f"engine {str(spec)!r} has no option {name!r}{hint}")
    return {name: _value(option, given.get(name)) for name, option in options.items()}


def _value(option: Option, given: object) -> int:
    if given is None:
        return option.default
    if type(given) is int and option.minimum <= given <= option.maximum:  # a bool is no number
        return given
    raise ValueError(
        f"{option.name} is a whole number from {option.minimum} to {option.maximum}, not {given!r}"
    )


def _nearest(word: str, words: list[str]) -> str:
    near = get_close_matches(word, words, n=1, cutoff=0.5)
    if near:
        return f": did you mean {near[0]!r}?"
    return f": there are {', '.join(words)}" if words else ": it has none"
