"""All the rules of a server, and what they want together of one request."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from smbd.faults.fault import Asked, Fault
from smbd.faults.rule import BREAKS, ENDS, Drop, Rule

# Each request looks at all of them: 0.3 us each (measured).
MOST_FAULTS = 256


@dataclass(slots=True, eq=False)
class Plan:
    """What becomes of one request: the keys of Rule, of all rules that it has met."""

    met: list[Fault] = field(default_factory=list)
    status: int | None = None
    drop: Drop | None = None
    hang: bool = False
    delay: float | None = None
    pending: bool = False
    forget: bool = False
    expire: bool = False
    closed: bool = False
    done: bool = False
    short: int | None = None
    garble: bool = False
    credits: int | None = None
    breaks: str | None = None
    guid: bool = False
    max_read: int | None = None
    max_write: int | None = None
    max_transact: int | None = None
    _said: set[str] = field(default_factory=set)

    @property
    def left_by_break(self) -> int | None:
        """The rights to cache that a break leaves, as LeaseState has them; None: there is none."""
        return None if self.breaks is None else BREAKS[self.breaks]

    def takes(self, rule: Rule) -> bool:
        """Whether a rule contradicts none that was met before."""
        return self._said.isdisjoint(_parts(rule))

    def add(self, fault: Fault) -> None:
        """Do what a rule says, too."""
        self.met.append(fault)
        self._said |= _parts(fault.rule)
        for key in fault.rule.ways:
            setattr(self, key, getattr(fault.rule, key))


def _parts(rule: Rule) -> set[str]:
    """What a rule decides: the ways to end are one."""
    return {"end" if key in ENDS else key for key in rule.ways if key != "done"}


class Faults:
    """The rules of a server, in the order in which they came."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` is called when there is one more or less."""
        self.changed = changed
        self._all: dict[int, Fault] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Fault]:
        return iter(list(self._all.values()))

    def add(self, rule: Rule) -> Fault:
        """Have a rule at work from now on; ValueError if there are too many."""
        if len(self._all) >= MOST_FAULTS:
            raise ValueError(f"there are {MOST_FAULTS} faults already: remove some")
        self._last += 1
        fault = self._all[self._last] = Fault(rule, self._last, self._remove)
        self.changed()
        return fault

    def find(self, number: int) -> Fault | None:
        """The rule of that number, if it is at work."""
        return self._all.get(number)

    def clear(self) -> None:
        """Remove all."""
        for fault in self:
            fault.remove()

    def _remove(self, fault: Fault) -> None:
        if self._all.pop(fault.number, None) is not None:
            fault.end()
            self.changed()

    @property
    def line(self) -> tuple[int | None, float | None]:
        """The slowest rate and the longest latency that a rule says, each None if none does."""
        rules = [fault.rule for fault in self._all.values()]
        rates = [rule.rate for rule in rules if rule.rate is not None]
        latencies = [rule.latency for rule in rules if rule.latency is not None]
        return min(rates, default=None), max(latencies, default=None)

    def plan(self, asked: Asked) -> Plan | None:
        """What becomes of a request; None: it goes well.

        All rules that mean it are obeyed.  Where one contradicts an older one it does not count
        the request: of two that end the first request each, the second one has the next.
        """
        plan: Plan | None = None
        for fault in self:
            if not fault.means(asked) or (plan is not None and not plan.takes(fault.rule)):
                continue
            if fault.strikes():
                plan = plan or Plan()
                plan.add(fault)
        return plan
