"""Which job is next: flows of jobs take turns, and no flow gets all workers.

Neither threads nor trio: the pool holds its lock around every call.
"""

from collections import OrderedDict, deque
from typing import Generic, Protocol, Self, TypeVar


class Queued(Protocol):
    """A job: which flow it belongs to, and of which kind it is."""

    lane: "Lane[Self]"
    flow: object  # hashable: the caller, say a connection or an open file


J = TypeVar("J", bound=Queued)


class Line(Generic[J]):
    """The jobs of one flow that wait in one lane."""

    __slots__ = ("jobs", "ringed")

    def __init__(self) -> None:
        self.jobs: OrderedDict[J, None] = (
            OrderedDict()
        )  # a job that nobody waits for leaves at once
        self.ringed = False


class Lane(Generic[J]):
    """A kind of jobs, at most `most` of which run at a time."""

    __slots__ = ("counts", "each", "lines", "most", "ring", "running")

    most: int

    def __init__(self, each: int) -> None:
        self.each = each  # of one flow; 0: no bound
        self.running = 0
        self.counts: dict[object, int] = {}  # how many run of each flow, where that is bounded
        self.lines: dict[object, Line[J]] = {}
        # Flows that may begin a job: the first is next, and goes to the end then.
        self.ring: deque[object] = deque()

    def count(self, flow: object, change: int) -> None:
        """So many more jobs of a flow run now."""
        running = self.counts.get(flow, 0) + change
        if running:
            self.counts[flow] = running
        else:
            del self.counts[flow]


class Lanes(Generic[J]):
    """Jobs that run and jobs that wait for `workers`: quick ones, and long ones, which get half.

    No flow has more than `each` running, a third of them long ones; 0: as many as there are.
    No job waits that could run: one that ends lets one begin, for each bound is of one lane.
    """

    def __init__(self, workers: int, each: int = 0) -> None:
        self.running = 0
        of_long = max(1, each // 3) if each else 0
        self.quick: Lane[J] = Lane(max(1, each - of_long) if each else 0)
        self.long: Lane[J] = Lane(of_long)
        self._next, self._other = self.quick, self.long
        self.resize(workers)

    def resize(self, workers: int) -> None:
        """Change the number of workers."""
        self.workers = self.quick.most = workers
        self.long.most = max(1, workers // 2)

    def begin(self, job: J) -> bool:
        """Count a new job as running if it may run now; else keep it in line."""
        lane = job.lane
        if (
            self.running < self.workers
            and lane.running < lane.most
            and (not lane.each or lane.counts.get(job.flow, 0) < lane.each)
        ):
            self.running += 1
            lane.running += 1
            if lane.each:
                lane.count(job.flow, 1)
            return True
        line = lane.lines.get(job.flow)
        if line is None:
            line = lane.lines[job.flow] = Line()
        line.jobs[job] = None
        self._ring(lane, job.flow)
        return False

    def end(self, job: J) -> J | None:
        """A job has run; the job that runs next, if any may."""
        lane = job.lane
        self.running -= 1
        lane.running -= 1
        if lane.each:
            lane.count(job.flow, -1)
        if (self.quick.lines or self.long.lines) and self.running < self.workers:
            self._ring(lane, job.flow)
            return self._choose()
        return None

    def withdraw(self, job: J) -> bool:
        """Whether the job still waited; it does so no longer."""
        line = job.lane.lines.get(job.flow)
        if line is None or job not in line.jobs:
            return False
        del line.jobs[job]
        if not line.jobs:
            del job.lane.lines[job.flow]
            if line.ringed:
                job.lane.ring.remove(job.flow)
        return True

    def _choose(self) -> J | None:
        for _ in range(2):
            lane = self._next
            self._next, self._other = self._other, lane  # lanes take turns too
            if lane.ring and lane.running < lane.most:
                return self._take(lane, lane.ring.popleft())
        return None

    def _take(self, lane: Lane[J], flow: object) -> J:
        line = lane.lines[flow]
        line.ringed = False
        job, _none = line.jobs.popitem(last=False)
        self.running += 1
        lane.running += 1
        if lane.each:
            lane.count(flow, 1)
        if line.jobs:
            self._ring(lane, flow)
        else:
            del lane.lines[flow]
        return job

    def _ring(self, lane: Lane[J], flow: object) -> None:
        """Put a flow's line into its lane's ring, if it has a job that it may begin."""
        line = lane.lines.get(flow)
        if line is None or line.ringed:
            return
        if not lane.each or lane.counts.get(flow, 0) < lane.each:
            line.ringed = True
            lane.ring.append(flow)
