"""The table's types."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from aio.compare.claims.readings import Reading
from aio.compare.claims.verdict import Check
from aio.compare.document import Layer
from aio.compare.workloads import Data, Group

NOWAIT = "nowait+threads"
# Rivals that are no form.
ALONE = "alone"  # the same form's hits without other clients
EXT4 = "ext4"  # the same form and workload on the study's ext4
BEST = "best"  # the one of `beside` with the most operations a second


class Limit(NamedTuple):
    """A figure is <= or >= times * rival + plus + each * requests in flight."""

    figure: str
    sense: Literal["<=", ">="]
    plus: float = 0.0
    times: float = 0.0
    of: str = ""  # the rival, where the source is an experiment: another figure of it
    each: float = 0.0
    floor: float = 0.0  # the limit is no less


class Loads(NamedTuple):
    """Workloads of a group, each a case."""

    group: Group
    data: Data  # where the data is; that of the load beside, if there is one
    form: str
    rival: str = ""  # a form, or one of the above
    # Sizes and depths: the nearest measured workload stands for each.  None: all of 4 KiB, since
    # of larger ones copying is most of the cost.
    points: tuple[tuple[int, int], ...] = ()
    shown: tuple[str, ...] = ()  # the evidence: these figures
    beside: tuple[str, ...] = ()  # of these forms


class Trial(NamedTuple):
    """An experiment, one case."""

    name: str
    shown: tuple[tuple[str, str], ...] = ()  # the evidence: labels and templates
    given: tuple[Limit, ...] = ()  # where these do not hold the experiment says nothing
    computed: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None  # more figures


class Row(NamedTuple):
    """One thing that a claim says.

    Templates name an experiment's figures, {cold_max_us}; or those of the form, {own:p99_us}, of
    {rival:p99_us}, and of forms beside, {sync:p99_us}; {workload}, {depth}, {limits[0]}.
    """

    # A function where a claim fits no limit.
    source: Loads | Trial | Callable[[Reading], Iterable[Check]]
    limits: tuple[Limit, ...] = ()  # none: a remark, which decides nothing
    sentence: str = ""
    also: str = ""  # added where all that it names was measured
    follows: bool = False  # counts only where an earlier row of the claim was measured


class Claim(NamedTuple):
    """A claim."""

    number: str
    text: str
    rows: tuple[Row, ...]
    # Users get what is served; the bare layer tells engines from what is around them.
    layers: tuple[Layer, ...] = ("served", "bare")
    file_systems: tuple[str, ...] = ()  # of which it is made, if not of all
    slow_disk: bool = False  # made of slow disks only
