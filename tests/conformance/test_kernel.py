"""The short form of the kernel run: a Linux kernel mounts the share and checks what it sees."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from .kernel import guest, rig
from .servers import ours

MOUNTS = [rig.Mount("3.1.1"), rig.Mount("2.1"), rig.Mount("3.1.1", "seal")]

Smoked = Future[tuple[guest.Ended, dict[str, rig.Outcome]]]


@pytest.fixture(scope="module")
def smoked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Smoked]]:
    """All guests that are asked for at once, each with a server of its own: they wait much."""
    if why := guest.why_not():
        pytest.skip(f"no Linux guest here: {why}")
    asked = {
        item.callspec.params["mount"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module
    }
    with ThreadPoolExecutor(len(MOUNTS)) as pool, ExitStack() as servers:
        found = {}
        for mount in asked:
            server = servers.enter_context(ours(tmp_path_factory.mktemp("guest")))
            rig.prepare(server.folder)
            found[mount.name] = pool.submit(rig.smoke, server, mount, [], limit=350, say=print)
        yield found
        pool.shutdown()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("mount", MOUNTS, ids=lambda mount: mount.name)
def test_a_linux_kernel_mounts_the_share_and_finds_a_file_system(
    smoked: dict[str, Smoked], mount: rig.Mount
) -> None:
    ended, found = smoked[mount.name].result()

    assert rig.problems(mount, ended, found) == []
