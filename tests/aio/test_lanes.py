"""Which job is next: flows take turns, half of the workers for long jobs, no wait without need."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aio.lanes import Lane, Lanes


@dataclass(eq=False)
class Job:
    lane: "Lane[Job]"
    flow: str


class Desk:
    """Lanes, and the jobs that run."""

    def __init__(self, workers: int, each: int = 0) -> None:
        self.lanes: Lanes[Job] = Lanes(workers, each)
        self.running: list[Job] = []
        self.waiting: list[Job] = []

    def begin(self, flow: str, *, long: bool = False) -> Job:
        job = Job(self.lanes.long if long else self.lanes.quick, flow)
        (self.running if self.lanes.begin(job) else self.waiting).append(job)
        return job

    def end(self, job: Job) -> Job | None:
        self.running.remove(job)
        following = self.lanes.end(job)
        if following is not None:
            self.waiting.remove(following)
            self.running.append(following)
        return following

    def withdraw(self, job: Job) -> None:
        withdrawn = self.lanes.withdraw(job)
        assert withdrawn == (job in self.waiting)
        if withdrawn:
            self.waiting.remove(job)


def test_one_that_comes_late_waits_for_one_job_of_each_other_and_not_for_all() -> None:
    desk = Desk(workers=1)
    first = desk.begin("busy")
    queue = [desk.begin("busy") for _ in range(100)]
    late = desk.begin("late")
    assert desk.end(first) is queue[0]
    assert desk.end(queue[0]) is late
    assert desk.end(late) is queue[1]


def test_jobs_of_one_flow_run_in_the_order_in_which_they_came() -> None:
    desk = Desk(workers=1)
    job = desk.begin("a")
    queue = [desk.begin("a") for _ in range(5)]
    for expected in queue:
        assert desk.end(job) is expected
        job = expected


def test_long_jobs_get_half_of_the_workers_and_quick_ones_the_others() -> None:
    desk = Desk(workers=4)
    long = [desk.begin("flushes", long=True) for _ in range(32)]
    assert desk.running == long[:2]
    quick = [desk.begin("reads") for _ in range(3)]
    assert desk.running == [*long[:2], *quick[:2]]
    assert desk.end(quick[0]) is quick[2]
    assert desk.end(quick[1]) is None, "a long one took the place of a quick one"
    assert desk.end(long[0]) is long[2]


def test_long_jobs_are_not_held_up_for_ever_by_quick_ones() -> None:
    desk = Desk(workers=2)
    running = [desk.begin("reads"), desk.begin("reads")]
    desk.begin("reads")
    flush = desk.begin("flush", long=True)
    desk.begin("reads")
    assert flush in (desk.end(running[0]), desk.end(running[1]))


def test_a_single_worker_does_long_jobs_too() -> None:
    desk = Desk(workers=1)
    job = desk.begin("flush", long=True)
    assert desk.running == [job]


def test_one_flow_never_gets_the_last_workers() -> None:
    desk = Desk(workers=4, each=3)
    jobs = [desk.begin("greedy") for _ in range(10)]
    long = [desk.begin("greedy", long=True) for _ in range(10)]
    assert desk.running == [*jobs[:2], long[0]]
    other = desk.begin("other")
    assert other in desk.running
    assert desk.end(other) is None
    assert desk.end(jobs[0]) is jobs[2]
    assert desk.end(long[0]) is long[1]


def test_what_is_withdrawn_never_begins() -> None:
    desk = Desk(workers=1)
    first = desk.begin("a")
    gone, stays = desk.begin("a"), desk.begin("b")
    assert desk.lanes.withdraw(gone)
    assert not desk.lanes.withdraw(gone)
    assert not desk.lanes.withdraw(first), "it runs"
    assert desk.end(first) is stays
    assert desk.end(stays) is None


@pytest.mark.parametrize("workers", [1, 2, 5])
@settings(deadline=None)
@given(data=st.data())
def test_no_job_waits_that_could_run_and_no_bound_is_broken(
    workers: int, data: st.DataObject
) -> None:
    desk = Desk(workers, each=data.draw(st.integers(0, 3)))
    for _ in range(data.draw(st.integers(0, 60))):
        what = data.draw(st.sampled_from(("begin", "begin", "end", "withdraw")))
        if what == "begin":
            desk.begin(data.draw(st.sampled_from("abc")), long=data.draw(st.booleans()))
        elif what == "end" and desk.running:
            desk.end(data.draw(st.sampled_from(desk.running)))
        elif what == "withdraw" and desk.running + desk.waiting:
            desk.withdraw(data.draw(st.sampled_from(desk.running + desk.waiting)))
        assert len(desk.running) == desk.lanes.running <= workers
        of_long = [job for job in desk.running if job.lane is desk.lanes.long]
        assert len(of_long) <= max(1, workers // 2)
        for job in desk.running + desk.waiting:
            same = [x for x in desk.running if (x.flow, x.lane) == (job.flow, job.lane)]
            each = job.lane.each or workers
            assert len(same) <= each
            full = len(desk.running) == workers or len(same) == each
            all_long = job.lane is desk.lanes.long and len(of_long) == max(1, workers // 2)
            assert job in desk.running or full or all_long
    while desk.running:
        desk.end(desk.running[0])
    assert not desk.waiting
    for lane in (desk.lanes.quick, desk.lanes.long):
        assert [lane.lines, list(lane.ring), lane.counts, lane.running] == [{}, [], {}, 0]
