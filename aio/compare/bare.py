"""The layer "bare": an engine in a loop that treats it as smbd's dispatch does, and no SMB.

A load is so many clients, each with one request.  All requests that are there are tried inline,
like a burst of frames; a request that is not answered so becomes a task.  There is a checkpoint
after each burst, and a client that was answered has its next request in the next burst.
"""

import gc
from contextlib import ExitStack
from time import perf_counter

import trio

from aio.base import Engine
from aio.compare.document import Layer
from aio.compare.figures import SLOTS, Figures
from aio.compare.files import Files
from aio.compare.forms import Form
from aio.compare.lanes import Lane
from aio.compare.stalls import LoopIterations
from aio.compare.study import WARM_UP, CannotRun
from aio.compare.usage import Usage
from aio.compare.workloads import Workload
from aio.opening import open_engine


class BareLayer:
    """Runs each workload on an engine of its own."""

    name: Layer = "bare"

    def __init__(self, files: Files) -> None:
        self._files = files

    def run(self, form: Form, workload: Workload, seconds: float) -> Figures:
        """One run.  CannotRun: no such engine on this machine, or nothing can be evicted here."""
        self._files.prepare(workload)
        iterations = LoopIterations(seconds, SLOTS)
        # A full collection of the imported modules stops the loop for 10 to 20 ms (measured), and
        # comes where tasks are many: it would be taken for a stall of the engine.
        gc.freeze()
        try:
            return trio.run(
                self._measure,
                form,
                workload,
                seconds,
                iterations,
                instruments=[iterations],
                # Ctrl-C comes between bursts, never into an engine's bookkeeping.
                restrict_keyboard_interrupt_to_checkpoints=True,
            )
        except BaseExceptionGroup as group:
            raise _first_of(group) from group
        finally:
            gc.unfreeze()

    def close(self) -> None:
        """Nothing is kept from run to run."""

    async def _measure(
        self, form: Form, workload: Workload, seconds: float, iterations: LoopIterations
    ) -> Figures:
        try:
            engine = open_engine(form.spec, **form.options)
        except OSError as error:
            raise CannotRun(error.strerror or str(error), any_workload=True) from error
        try:
            with ExitStack() as stack:
                run = _Run(engine, workload, self._files, stack)
                await run.warm_up(seconds * WARM_UP)
                return await run.measure(seconds, iterations)
        finally:
            await engine.aclose()


class _Run:
    """A workload's lanes on an engine, and their cost."""

    def __init__(self, engine: Engine, workload: Workload, files: Files, stack: ExitStack) -> None:
        self._engine = engine
        self._files = files
        self._freed = trio.lowlevel.ParkingLot()
        self._lanes: list[Lane] = []
        for load in (workload.load, workload.beside):
            if load is not None:
                lane = Lane(engine, load, files.path(load), self._freed)
                stack.callback(lane.close)
                lane.go_through(files.blocks(load))
                self._lanes.append(lane)

    async def warm_up(self, seconds: float) -> None:
        """As in `measure`, but nothing of it counts."""
        await self._lap(seconds)
        for lane in self._lanes:
            lane.reset()

    async def measure(self, seconds: float, iterations: LoopIterations) -> Figures:
        """Run laps for so many seconds.

        Each lap begins with the evicted file out of the page cache, which takes no time of the run,
        and ends early when all of that file was read.
        """
        before = self._engine.statistics()
        spent = Usage()
        left = seconds
        while left > 0:
            self._evict()
            began, usage = perf_counter(), Usage.now()
            iterations.resume()
            await self._lap(left)
            iterations.pause()
            spent = spent.plus_since(usage)
            left -= perf_counter() - began
        return Figures.of_run(
            [lane.figures() for lane in self._lanes],
            spent,
            iterations.slots,
            inline=sum(lane.inline for lane in self._lanes),
            stats=self._engine.statistics().since(before),
        )

    async def _lap(self, seconds: float) -> None:
        """Keep all clients busy for so long, then wait until all are answered."""
        began = perf_counter()
        for lane in self._lanes:
            lane.begin(began)
        async with trio.open_nursery() as nursery:
            while True:
                for lane in self._lanes:
                    lane.burst(nursery)
                if perf_counter() - began > seconds or any(lane.used_up for lane in self._lanes):
                    break
                if any(lane.free for lane in self._lanes):
                    await trio.lowlevel.checkpoint()
                else:
                    await self._freed.park()
            while any(lane.flying for lane in self._lanes):
                await self._freed.park()
            for lane in self._lanes:
                lane.check()
        for lane in self._lanes:
            lane.end(began)

    def _evict(self) -> None:
        for lane in self._lanes:
            if lane.load.data == "evicted":
                self._files.need_evicted()
                lane.go_through(self._files.blocks(lane.load))


def _first_of(error: BaseException) -> BaseException:
    """The first error of a nursery, without its groups; Ctrl-C before all others."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    interrupts = error.subgroup(KeyboardInterrupt)
    return _first_of((interrupts or error).exceptions[0])
