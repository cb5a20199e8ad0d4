"""CREATE of what the kernel has in its caches is answered in the burst; anything else in a task."""

import pytest
from trio.testing import wait_all_tasks_blocked

from aio import leaky_bucket
from smbd.ntstatus import NtStatus
from smbd.vfs import root as vfs_root
from tests.commands.story import CREATE_NEW, OPEN, OVERWRITE, client
from tests.core import messages
from tests.core.messages import CREATE


def asked(me, name, **wanted):
    """The status if it is answered without a task, else None."""
    me.stage.ask(CREATE, messages.create(name, disposition=wanted.pop("disposition", OPEN)))
    return me.stage.wire.frames.pop() if me.stage.wire.frames else None


async def test_an_open_of_a_known_name_needs_no_worker(tmp_path, mock_clock):
    (tmp_path / "known").touch()
    async with client(tmp_path) as me:
        if not me.stage.root.lookup.has_cache:
            pytest.skip("this kernel has no RESOLVE_CACHED (Linux 5.12)")
        for disposition in (OPEN, 3):
            for _ in range(100):
                (tmp_path / "known").stat()  # now it is in the dentry cache
                if asked(me, "known", disposition=disposition) is not None:
                    break
                # The kernel gives up where a name changes at this moment, anywhere on the machine.
                await me.stage.answer()
            else:
                pytest.fail("each was a worker's")


@pytest.mark.parametrize("disposition", [CREATE_NEW, OVERWRITE])
async def test_what_changes_something_goes_to_a_worker(tmp_path, mock_clock, disposition):
    (tmp_path / "known").touch()
    async with client(tmp_path) as me:
        assert asked(me, "known", disposition=disposition) is None
        await wait_all_tasks_blocked()


async def test_a_name_that_is_not_there_as_spelled_goes_to_a_worker(tmp_path, mock_clock):
    (tmp_path / "known").touch()
    async with client(tmp_path) as me:
        assert asked(me, "KNOWN") is None
        assert (await me.stage.answer()).status == 0
        assert asked(me, "nothing") is None
        assert (await me.stage.answer()).status == NtStatus.OBJECT_NAME_NOT_FOUND


async def test_a_cached_open_is_refused_as_any_other(tmp_path, mock_clock):
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").touch()
    async with client(tmp_path) as me:
        exclusive = await me.open("file", disposition=OPEN, share=0)
        for name, options, status in (
            ("file", 0, NtStatus.SHARING_VIOLATION),
            ("file", messages.DELETE_ON_CLOSE | 1, NtStatus.NOT_A_DIRECTORY),
            ("dir", 0x40, NtStatus.FILE_IS_A_DIRECTORY),
            ("", messages.DELETE_ON_CLOSE, NtStatus.CANNOT_DELETE),
        ):
            answer = await me.create(name, options=options, disposition=OPEN)
            assert answer.status == status, name
        await me.close(exclusive)
        assert not list(me.stage.service.tables.opens)


async def test_a_share_whose_opens_take_long_is_asked_less_and_less(
    tmp_path, mock_clock, monkeypatch
):
    (tmp_path / "known").touch()
    now, step = 1000.0, 0.01

    def monotonic():
        nonlocal now
        now += step  # from one look at the clock to the next
        return now

    async with client(tmp_path) as me:
        if not me.stage.root.lookup.has_cache:
            pytest.skip("this kernel has no RESOLVE_CACHED (Linux 5.12)")
        monkeypatch.setattr(vfs_root, "monotonic", monotonic)
        monkeypatch.setattr(leaky_bucket, "_delayed", lambda: 0.0)
        me.stage.service.tables.opens.limit = 10_000
        assert asked(me, "known") is not None
        pauses = []
        while len(pauses) < 10:
            began, step = now, 0.1
            while asked(me, "known") is None:
                assert (await me.stage.answer()).status == 0
            pauses.append(now - began)
        assert pauses == sorted(pauses)
        assert pauses[0] < 0.5
        assert 9 < pauses[-1] < 11
        now, step = now + 60, 0.0
        assert all(asked(me, "known") is not None for _ in range(5))


async def test_an_open_that_waited_for_a_processor_alone_was_not_slow(
    tmp_path, mock_clock, monkeypatch
):
    (tmp_path / "known").touch()
    now = delayed = 1000.0

    def monotonic():
        nonlocal now, delayed
        now, delayed = now + 1, delayed + 1
        return now

    async with client(tmp_path) as me:
        if not me.stage.root.lookup.has_cache:
            pytest.skip("this kernel has no RESOLVE_CACHED (Linux 5.12)")
        (tmp_path / "known").stat()
        assert asked(me, "known") is not None
        monkeypatch.setattr(vfs_root, "monotonic", monotonic)
        monkeypatch.setattr(leaky_bucket, "_delayed", lambda: delayed)
        me.stage.root._waited._delayed = delayed
        assert all(asked(me, "known") is not None for _ in range(5))
