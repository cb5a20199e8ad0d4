"""A folder that a second mount shows (a bind mount) is one, by whichever path it is reached."""

import os
import subprocess
from contextlib import contextmanager

import pytest

from smbd.ntstatus import NtStatus
from smbd.wire.change_notify import CompletionFilter
from tests.commands.stage import on_stage
from tests.commands.test_races import DIRECTORY, OPEN, RENAME, status, target
from tests.core import messages
from tests.core.messages import CHANGE_NOTIFY, CLOSE, SET_INFO


@contextmanager
def bound(folder, place):
    if os.geteuid() != 0:
        pytest.skip("to mount needs root")
    done = subprocess.run(["mount", "--bind", folder, place], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot be mounted here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setattr("smbd.vfs.mounts._twice", ())  # and as it was: a process learns it once
    (tmp_path / "a" / "sub").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "sub" / "file").touch()
    with bound(tmp_path / "a", tmp_path / "b"):
        yield tmp_path


@pytest.mark.parametrize(("mine", "other"), [("a", "b"), ("b", "a")])
async def test_a_folder_stays_in_which_something_is_open_by_the_other_mount(
    tree, mock_clock, mine, other
):
    async with on_stage(tree) as stage:
        file = await stage.open(f"{other}\\sub\\file", disposition=OPEN)
        folder = await stage.open(f"{mine}\\sub", options=DIRECTORY, disposition=OPEN)
        rename = messages.set_info(folder, RENAME, target(f"{mine}\\moved"))
        assert await status(stage, SET_INFO, rename) == NtStatus.ACCESS_DENIED
        assert await status(stage, CLOSE, messages.close(file)) == 0
        assert await status(stage, SET_INFO, rename) == 0


@pytest.mark.parametrize(("mine", "other"), [("a", "b"), ("b", "a")])
async def test_a_watcher_hears_of_what_is_done_by_the_other_mount(tree, mock_clock, mine, other):
    async with on_stage(tree) as stage:
        folder = await stage.open(f"{mine}\\sub", options=DIRECTORY, disposition=OPEN)
        stage.ask(CHANGE_NOTIFY, messages.change_notify(folder, CompletionFilter.FILE_NAME))
        await stage.answers()
        stage.ask(messages.CREATE, messages.create(f"{other}\\sub\\new", disposition=2))
        told = [one for one in await stage.answers() if one.command == CHANGE_NOTIFY]
        assert [one.status for one in told] == [0]
        assert "new".encode("utf-16-le") in told[0].body
