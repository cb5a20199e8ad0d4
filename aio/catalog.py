"""Which engines there are and what may be set: pure data, so that a configuration can be
checked without importing trio or cffi.

A spec is an engine's name, or `nowait+NAME`: the page-cache probe in front of it.  `nowait` alone
is `nowait+threads`.  For NAME there may be several, `uring,threads`: the first that this machine
offers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

PROBE = "nowait"
DEFAULT_SPEC = PROBE
_BEHIND_PROBE = "threads"


@dataclass(frozen=True, slots=True)
class Option:
    """A whole number that may be set, or with 0 to 1 a switch; and what it does."""

    name: str
    minimum: int
    maximum: int
    default: int
    doc: str
    probed: bool = True  # whether the engine takes it behind the probe too

    @property
    def is_switch(self) -> bool:
        """Whether it is false or true; 0 and 1 say the same."""
        return (self.minimum, self.maximum) == (0, 1)

    @property
    def range(self) -> str:
        """What may be given, for people."""
        return "false or true" if self.is_switch else f"{self.minimum} to {self.maximum}"

    @property
    def default_text(self) -> str:
        """The default as TOML writes it."""
        return str(bool(self.default)).lower() if self.is_switch else str(self.default)


@dataclass(frozen=True, slots=True)
class Spec:
    """A spec taken apart; `str()` is its canonical name."""

    engines: tuple[str, ...]  # the first that can be had
    probe: bool

    def __str__(self) -> str:
        names = ",".join(self.engines)
        return f"{PROBE}+{names}" if self.probe else names


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
    # Copying 1 MiB out of the cache takes 0.18 to 0.22 ms, in which the loop does nothing else.
    default=1 << 20,
    doc="longest request in bytes that is tried in the event loop; longer ones go to the engine",
)

_DEPTH = Option(
    "depth",
    minimum=1,
    maximum=4096,
    # libaio: all of the machine share /proc/sys/fs/aio-max-nr, 65,536 by default.
    default=128,
    doc="requests that are in the kernel's queue at once; more wait until one has completed",
)
_DIRECT = Option(
    "direct",
    minimum=0,
    maximum=1,
    default=0,
    doc="read and write past the page cache (O_DIRECT) where the file system can",
    probed=False,
)
_DONTCACHE = Option(
    "dontcache",
    minimum=0,
    maximum=8 << 20,
    default=0,
    # Less than 1 MiB costs more than it saves (aio.dontcache).
    doc="requests of so many bytes and more go to the engine, and leave the page cache as it was; "
    "0: none do",
)

ENGINES: Mapping[str, tuple[Option, ...]] = {
    "sync": (),
    "threads": (_WORKERS, _DONTCACHE),
    "libaio": (_DEPTH, _DIRECT, _WORKERS, _DONTCACHE),
    "uring": (_DEPTH, _DIRECT, _DONTCACHE),
}
PROBE_OPTIONS = (_INLINE_LIMIT,)
# Those that no machine lacks: nothing need come after them.
_ALWAYS = {"sync", "threads"}


def engine_names() -> list[str]:
    """Every spec that `open_engine` takes, but for lists."""
    return [PROBE, *(f"{PROBE}+{name}" for name in ENGINES), *ENGINES]


def parse_spec(text: str) -> Spec:
    """Take a spec apart; ValueError says what would be right."""
    if text == PROBE:
        return Spec((_BEHIND_PROBE,), probe=True)
    first, plus, rest = text.partition("+")
    probe = bool(plus) and first == PROBE
    names = tuple((rest if probe else text).split(","))
    if len(names) == 1 and names[0] not in ENGINES:
        raise ValueError(f"there is no engine {text!r}{_nearest(text, engine_names())}")
    for at, name in enumerate(names):
        if name not in ENGINES:
            raise ValueError(f"there is no engine {name!r}{_nearest(name, list(ENGINES))}")
        if name in names[:at]:
            raise ValueError(f"{text!r} names engine {name!r} twice")
        if name in _ALWAYS and name != names[-1]:
            raise ValueError(f"every machine has engine {name!r}: {text!r} ends with it")
    return Spec(names, probe)


def options_of(spec: Spec) -> dict[str, Option]:
    """The options that a spec takes, by name."""
    options = [
        option
        for name in spec.engines
        for option in ENGINES[name]
        if option.probed or not spec.probe
    ]
    return {option.name: option for option in (*options, *(PROBE_OPTIONS if spec.probe else ()))}


def check_options(spec: Spec, given: Mapping[str, object]) -> dict[str, int]:
    """Every option of the spec, as given or by default; ValueError says what would be right."""
    options = options_of(spec)
    for name in given:
        if name not in options:
            raise ValueError(f"engine {str(spec)!r} has no option {name!r}{_instead(name, spec)}")
    return {name: _value(option, given.get(name)) for name, option in options.items()}


def _instead(name: str, spec: Spec) -> str:
    bare = Spec(spec.engines, probe=False)
    if name in options_of(bare):
        return f": there is no use for it behind {PROBE!r}, but {str(bare)!r} has it"
    return _nearest(name, list(options_of(spec)))


def _value(option: Option, given: object) -> int:
    if given is None:
        return option.default
    if type(given) is int and option.minimum <= given <= option.maximum:
        return given
    if type(given) is bool and option.is_switch:
        return int(given)
    kind = "" if option.is_switch else "a whole number from "
    raise ValueError(f"{option.name} is {kind}{option.range}, not {given!r}")


def _nearest(word: str, words: list[str]) -> str:
    near = get_close_matches(word, words, n=1, cutoff=0.5)
    if near:
        return f": did you mean {near[0]!r}?"
    return f": there are {', '.join(words)}" if words else ": it has none"
