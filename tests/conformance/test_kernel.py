"""The short form of the kernel run: a Linux kernel mounts the share and checks what it sees."""

from pathlib import Path

import pytest

from .kernel import guest, rig
from .servers import ours


@pytest.mark.timeout(200)
@pytest.mark.parametrize(("vers", "options"), [("3.1.1", ""), ("2.1", ""), ("3.1.1", "seal")])
def test_a_linux_kernel_mounts_the_share_and_finds_a_file_system(
    tmp_path: Path, vers: str, options: str
) -> None:
    if why := guest.why_not():
        pytest.skip(f"no Linux guest here: {why}")
    mount = rig.Mount(vers, options)
    with ours(tmp_path) as server:
        rig.prepare(server.folder)

        ended, found = rig.smoke(server, mount, [], limit=180, say=print)

        assert rig.problems(mount, ended, found) == []
