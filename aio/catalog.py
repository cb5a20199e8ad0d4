"""The engines, all facts about each, and their options: pure data, so that a configuration can be
checked without importing trio or cffi.

A spec is an engine's name, or `nowait+NAME`: the page-cache probe in front of it.  `nowait` alone
is `nowait+threads`.  For NAME there may be several, `uring,threads`: the first that this machine
offers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

PROBE = "nowait"
DEFAULT_SPEC = PROBE
_BEHIND_PROBE = "threads"


@dataclass(frozen=True, slots=True)
class Option:
    """A whole number that may be set, or with 0 to 1 a switch.  shares.toml tells its effect."""

    name: str
    minimum: int
    maximum: int
    default: int
    probed: bool = True  # whether the engine takes it behind the probe too

    @property
    def is_switch(self) -> bool:
        """Whether it is false or true; 0 and 1 say the same."""
        return (self.minimum, self.maximum) == (0, 1)

    @property
    def range(self) -> str:
        """The values that may be given, for people."""
        return "false or true" if self.is_switch else f"{self.minimum} to {self.maximum}"


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
    # A disk wants requests to sort; no more threads are started than requests are in flight.
    default=16,
)
_INLINE_LIMIT = Option(
    "inline_limit",
    minimum=4096,
    maximum=8 << 20,
    # Copying 1 MiB out of the cache takes 0.18 to 0.22 ms, in which the loop does nothing else.
    default=1 << 20,
)

_DEPTH = Option(
    "depth",
    minimum=1,
    maximum=4096,
    # libaio: all of the machine share /proc/sys/fs/aio-max-nr, 65,536 by default.
    default=128,
)
_DIRECT = Option(
    "direct",
    minimum=0,
    maximum=1,
    default=0,
    probed=False,
)
_DONTCACHE = Option(
    "dontcache",
    minimum=0,
    maximum=8 << 20,
    default=0,
    # Less than 1 MiB costs more than it saves (aio.dontcache).
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An engine: how it is opened, how it is described, how it is drawn.

    `class_path` is "module:class", imported when an engine is opened: the catalogue stands below
    the engines, which need trio and cffi.  The alternative, a table of classes in aio.opening,
    would be a second place that each engine must be entered in.  The class is called with the
    row's options as keywords.
    """

    name: str
    class_path: str
    options: tuple[Option, ...] = ()
    how: str  # for README, shares.toml and reports: "a READ or WRITE is done ..."
    requests: str  # for the survey: the way of requests that the probe does not answer
    # An engine that some machines lack has a static method `check`, which raises OSError there.
    everywhere: bool = True
    offered: str = "always"  # for the survey, where the machine has it
    beside_direct: str = ""  # as `requests`: the way of requests that O_DIRECT cannot do
    blocks: bool = False  # whether `try_read` and `try_write` are the blocking calls themselves
    colour: str
    colour_in_dark: str
    marker: str  # matplotlib's

    def takes(self, option: str) -> bool:
        """Whether it has an option of this name."""
        return any(each.name == option for each in self.options)


_TO_WORKERS = "go to worker threads"
_TO_URING = "go to io_uring"
# The colours are Okabe and Ito's palette, which colour-blind people tell apart too.
_ROWS = (
    Row(
        name="sync",
        class_path="aio.blocking:SyncEngine",
        how="by a blocking call in the only event loop, to compare with: nothing is faster while "
        "the page cache has the data, and nobody else is served while it has not",
        requests="block the event loop",
        blocks=True,
        colour="#d55e00",
        colour_in_dark="#f0782a",
        marker="o",
    ),
    Row(
        name="threads",
        class_path="aio.threads:ThreadsEngine",
        options=(_WORKERS, _DONTCACHE),
        how="by a blocking call in a worker thread: over and back for each request",
        requests=_TO_WORKERS,
        colour="#0072b2",
        colour_in_dark="#46a3e0",
        marker="s",
    ),
    Row(
        name="libaio",
        class_path="aio.libaio:LibaioEngine",
        options=(_DEPTH, _DIRECT, _WORKERS, _DONTCACHE),
        how="by io_submit, Linux's older asynchronous interface, which is asynchronous only with "
        "direct = true (O_DIRECT); else it blocks the event loop",
        requests="go to libaio, which for buffered files blocks the event loop",
        everywhere=False,
        offered="asynchronous with direct = true alone",
        beside_direct=_TO_WORKERS,
        colour="#009e73",
        colour_in_dark="#25b98c",
        marker="^",
    ),
    Row(
        name="uring",
        class_path="aio.uring:UringEngine",
        options=(_DEPTH, _DIRECT, _DONTCACHE),
        how="by io_uring, Linux's newer one; its rings are C, built at the first use into "
        "~/.cache/aio where there is a compiler",
        requests=_TO_URING,
        everywhere=False,
        offered="asynchronous, by the kernel's own threads where it must",
        beside_direct=_TO_URING,
        colour="#b5599a",
        colour_in_dark="#d581bd",
        marker="D",
    ),
)
ENGINES: Mapping[str, Row] = {row.name: row for row in _ROWS}
PROBE_HOW = (
    f"at once where the page cache has the data or takes it, else by the engine named behind it; "
    f"{PROBE} alone is {PROBE}+{_BEHIND_PROBE}"
)
PROBE_OPTIONS = (_INLINE_LIMIT,)


def engine_names() -> list[str]:
    """Every spec that `open_engine` takes, but for lists."""
    return [PROBE, *(f"{PROBE}+{name}" for name in ENGINES), *ENGINES]


def parse_spec(text: str) -> Spec:
    """Take a spec apart; ValueError names the right ones."""
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
        if ENGINES[name].everywhere and name != names[-1]:
            raise ValueError(f"every machine has engine {name!r}: {text!r} ends with it")
    return Spec(names, probe)


def options_of(spec: Spec) -> dict[str, Option]:
    """The options that a spec takes, by name."""
    options = [
        option
        for name in spec.engines
        for option in ENGINES[name].options
        if option.probed or not spec.probe
    ]
    return {option.name: option for option in (*options, *(PROBE_OPTIONS if spec.probe else ()))}


def check_options(spec: Spec, given: Mapping[str, object]) -> dict[str, int]:
    """Every option of the spec, as given or by default; ValueError names the right ones."""
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
    from difflib import get_close_matches  # noqa: PLC0415 -- for mistakes alone

    near = get_close_matches(word, words, n=1, cutoff=0.5)
    if near:
        return f": did you mean {near[0]!r}?"
    return f": there are {', '.join(words)}" if words else ": it has none"
