"""The short form of the kernel runs: Linux kernels mount the share and check what they see."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from .kernel import clients, guest, rig
from .servers import Server, ours

MOUNTS = [rig.Mount("3.1.1"), rig.Mount("2.1"), rig.Mount("3.1.1", "seal")]
STRICT, LOOSE = rig.Mount("3.1.1", "cache=strict"), rig.Mount("3.1.1", "cache=loose")
PROGRAMS = ["git", "compile", "tar", "rsync"]
LIMIT = 350.0  # seconds for a guest: side by side they have a part of a processor each

Run = Callable[[Server], list[str]]


def smoked(mount: rig.Mount, checks: list[str]) -> Run:
    def run(server: Server) -> list[str]:
        rig.prepare(server.folder)
        ended, found = rig.smoke(server, mount, checks, LIMIT, print)
        return rig.problems(mount, ended, found, partly=bool(checks))

    return run


def loaded(kind: str, second: rig.Mount) -> Run:
    load = clients.Load(kind, seconds=2, processes=1)
    return lambda server: clients.play(server, (STRICT, second), load, print)


RUNS = {
    **{mount.name: smoked(mount, []) for mount in MOUNTS},
    "programs": smoked(MOUNTS[0], PROGRAMS),
    "fsx": loaded("fsx", STRICT),
    "stress": loaded("stress", LOOSE),
}


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[list[str]]]]:
    """All runs that are asked for at once, each with a server of its own: they wait much."""
    if why := guest.why_not():
        pytest.skip(f"no Linux guest here: {why}")
    asked = {
        item.callspec.params["run"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.module is request.module
        and hasattr(item, "callspec")
    }
    with ThreadPoolExecutor(len(RUNS)) as pool, ExitStack() as servers:
        found = {}
        for name in asked:
            server = servers.enter_context(ours(tmp_path_factory.mktemp("guest")))
            found[name] = pool.submit(RUNS[name], server)
        yield found
        pool.shutdown()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("run", [mount.name for mount in MOUNTS])
def test_a_linux_kernel_mounts_the_share_and_finds_a_file_system(
    runs: dict[str, Future[list[str]]], run: str
) -> None:
    assert runs[run].result() == []


@pytest.mark.timeout(400)
@pytest.mark.parametrize("run", ["programs"])
def test_git_a_compiler_tar_and_rsync_leave_on_the_mount_what_they_should(
    runs: dict[str, Future[list[str]]], run: str
) -> None:
    assert runs[run].result() == []


@pytest.mark.timeout(400)
@pytest.mark.parametrize("run", ["fsx", "stress"])
def test_two_kernels_work_in_one_share_and_find_at_the_end_what_is_on_the_disk(
    runs: dict[str, Future[list[str]]], run: str
) -> None:
    assert runs[run].result() == []
