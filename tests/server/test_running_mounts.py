"""A share is what its path names: disks come and go there, and so do folders."""

import gc
import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from smbd.ntstatus import NtStatus
from tests.core import messages
from tests.core.messages import CREATE
from tests.scripted import connected
from tests.server.running import connect_status, running


@contextmanager
def disk(place):
    """A tmpfs there, for the length of a block; what keeps it busy fails the block's end."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    command = ["mount", "-t", "tmpfs", "smbd-tests", str(place)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot be mounted here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        ended = subprocess.run(["umount", str(place)], capture_output=True, check=False)
        if ended.returncode:
            subprocess.run(["umount", "-l", str(place)], check=True)
    assert not ended.returncode, ended.stderr.decode()


@pytest.fixture
def _no_garbage_collection():
    """What is not needed is to go at once, not when the next collection comes."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.usefixtures("_no_garbage_collection")
async def test_an_idle_share_does_not_keep_its_disk_busy(tmp_path):
    (tmp_path / "disk").mkdir()
    with disk(tmp_path / "disk"):
        async with running(tmp_path, "[shares.share]\npath = 'disk'\n") as server:
            await wait_all_tasks_blocked(0.01)
            assert server.server.service.shares["share"].roots == [], "nobody is connected yet"
            async with connected(server) as client:
                await client.connect()
                await client.open("a")
                refused = await client.ask(CREATE, messages.create("a", disposition=2))
                assert refused.status == NtStatus.OBJECT_NAME_COLLISION
                assert await connect_status(server, "share") == 0
                assert len(server.server.service.shares["share"].roots) == 1
            await wait_all_tasks_blocked(0.01)
            assert server.server.service.shares["share"].roots == []
            done = await trio.run_process(
                ["umount", str(tmp_path / "disk")], check=False, capture_stderr=True
            )
            assert done.returncode == 0, done.stderr
            await trio.run_process(["mount", "-t", "tmpfs", "again", str(tmp_path / "disk")])


async def test_a_disk_that_is_mounted_on_a_share_is_what_is_served_from_then_on(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("smbd.vfs.root._SIGHT", 0.0)  # a quick machine would be back before a look
    async with running(tmp_path) as server, connected(server) as old:
        await old.connect()
        await old.open("before")
        with disk(tmp_path / "one"):
            async with connected(server) as new:
                await new.connect()
                await new.open("on the disk")
                assert names(tmp_path / "one") == ["on the disk"]
            await wait_all_tasks_blocked(0.01)
            refused = await old.ask(CREATE, messages.create("below"))
            assert refused.status == NtStatus.NETWORK_NAME_DELETED
            await wait_all_tasks_blocked(0.01)
        assert names(tmp_path / "one") == ["before"]
        await old.open("after")


async def test_a_folder_made_anew_is_what_new_clients_see(tmp_path):
    async with running(tmp_path) as server, connected(server) as old:
        await old.connect()
        await old.open("a")
        (tmp_path / "one").rename(tmp_path / "away")
        (tmp_path / "one").mkdir()
        async with connected(server) as new:
            await new.connect()
            await new.open("b")
        assert names(tmp_path / "one") == ["b"]
        await old.open("c")
        assert names(tmp_path / "away") == ["a", "c"]


async def test_a_share_without_its_folder_says_so_until_it_is_back(tmp_path, caplog):
    async with running(tmp_path) as server:
        shutil.rmtree(tmp_path / "one")
        assert await connect_status(server, "share") == NtStatus.BAD_NETWORK_NAME
        folder = tmp_path / "one"
        assert f"share: {folder} cannot be served: No such file or directory" in caplog.text
        folder.mkdir()
        assert await connect_status(server, "share") == 0


async def test_clients_of_one_share_have_one_folder_open(tmp_path):
    async with running(tmp_path) as server, connected(server) as one, connected(server) as two:
        await one.connect()
        [folder] = server.server.service.shares["share"].roots
        await two.connect()
        assert server.server.service.shares["share"].roots == [folder]
