"""Compounds: one after the other, each with its status, all in one frame."""

from struct import unpack_from

import pytest
from trio.testing import wait_all_tasks_blocked

from smbd import vfs
from smbd.commands import close, query_info
from smbd.interims import FOR_FILES_AFTER
from smbd.ntstatus import NtStatus, ProtocolError
from tests.commands.stage import on_stage
from tests.core import messages
from tests.core.messages import (
    ASYNC,
    CLOSE,
    CREATE,
    ECHO,
    PREVIOUS_FILE,
    QUERY_INFO,
    READ,
    RELATED,
    SET_INFO,
    WRITE,
)

READ_IT = (READ, messages.read(PREVIOUS_FILE))
WRITE_IT = (WRITE, messages.write(PREVIOUS_FILE, b"data"))
CLOSE_IT = (CLOSE, messages.close(PREVIOUS_FILE))
STAT_IT = (QUERY_INFO, messages.query_info(PREVIOUS_FILE, 5))


def create(name, **wanted):
    return CREATE, messages.create(name, **wanted)


def statuses(answers):
    return [one.status for one in answers]


async def test_create_stat_close_is_answered_in_one_frame(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        stage.burst(stage.peer.related(create("a"), STAT_IT, CLOSE_IT))
        answers = await stage.answers()
        assert statuses(answers) == [0, 0, 0]
        assert [one.command for one in answers] == [CREATE, QUERY_INFO, CLOSE]
        assert [bool(one.flags & RELATED) for one in answers] == [False, True, True]
        offsets = [unpack_from("<I", one.raw, 20)[0] for one in answers]
        assert [one % 8 for one in offsets] == [0, 0, 0]
        assert offsets[-1] == 0


@pytest.mark.parametrize(
    ("name", "wanted", "status"),
    [
        ("none", {"disposition": messages.FILE_OPEN}, NtStatus.OBJECT_NAME_NOT_FOUND),
        ("a\\b", {}, NtStatus.OBJECT_PATH_NOT_FOUND),
        ("..", {}, NtStatus.OBJECT_PATH_SYNTAX_BAD),
        ("a", {"access": 0}, NtStatus.ACCESS_DENIED),
    ],
)
async def test_what_follows_a_failed_create_fails_as_it_did(
    tmp_path, mock_clock, name, wanted, status
):
    async with on_stage(tmp_path) as stage:
        stage.burst(stage.peer.related(create(name, **wanted), READ_IT, STAT_IT, CLOSE_IT))
        assert statuses(await stage.answers()) == [status] * 4


async def test_a_failure_in_the_middle_does_not_keep_the_file_from_being_closed(
    tmp_path, mock_clock
):
    async with on_stage(tmp_path) as stage:
        unknown_class = (QUERY_INFO, messages.query_info(PREVIOUS_FILE, 250))
        too_long = (QUERY_INFO, messages.query_info(PREVIOUS_FILE, 5, length=2**31))
        malformed = (QUERY_INFO, b"\0\0")
        commands = (create("a"), unknown_class, too_long, malformed, CLOSE_IT)
        stage.burst(stage.peer.related(*commands))
        created, *failed, closed = await stage.answers()
        assert created.status == closed.status == 0
        assert statuses(failed) == [
            NtStatus.INVALID_INFO_CLASS,
            NtStatus.INVALID_PARAMETER,
            NtStatus.INVALID_PARAMETER,
        ]
        assert not list(stage.service.tables.opens)


async def test_a_second_create_that_fails_does_not_leave_the_first_file_to_the_next(
    tmp_path, mock_clock
):
    async with on_stage(tmp_path) as stage:
        missing = create("none", disposition=messages.FILE_OPEN)
        stage.burst(stage.peer.related(create("a"), missing, CLOSE_IT))
        missing_status = NtStatus.OBJECT_NAME_NOT_FOUND
        assert statuses(await stage.answers()) == [0, missing_status, missing_status]


async def test_what_follows_a_close_finds_the_file_closed(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        stage.burst(stage.peer.related(create("a"), CLOSE_IT, READ_IT, CLOSE_IT))
        closed = NtStatus.FILE_CLOSED
        assert statuses(await stage.answers()) == [0, 0, closed, closed]


async def test_the_file_of_an_echo_is_none(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        stage.burst(stage.peer.related((ECHO, messages.EMPTY), READ_IT, CLOSE_IT))
        invalid = NtStatus.INVALID_HANDLE
        assert statuses(await stage.answers()) == [0, invalid, invalid]


async def test_a_related_request_has_the_file_of_the_one_before_whatever_it_carries(
    tmp_path, mock_clock
):
    async with on_stage(tmp_path) as stage:
        other = await stage.open("other")
        for carried in (other, bytes(16), b"\x11" * 16):
            close = (CLOSE, messages.close(carried))
            stage.burst(stage.peer.related(create("a"), close))
            assert statuses(await stage.answers()) == [0, 0]
        assert [one.file.path for one in stage.service.tables.opens] == ["other"]


async def test_the_first_of_a_frame_cannot_be_related(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        stage.ask(ECHO, flags=RELATED)
        assert (await stage.answer()).status == NtStatus.INVALID_PARAMETER


async def test_unrelated_requests_go_on_when_one_fails(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        missing = create("none", disposition=messages.FILE_OPEN)
        stage.burst(stage.peer.compound(missing, create("a"), (ECHO, messages.EMPTY)))
        assert statuses(await stage.answers()) == [NtStatus.OBJECT_NAME_NOT_FOUND, 0, 0]


async def test_a_wait_in_the_middle_holds_the_frame_back_without_interim_response(
    tmp_path, mock_clock
):
    async with on_stage(tmp_path) as stage:
        stage.burst(stage.peer.related(create("a"), WRITE_IT, CLOSE_IT))
        assert await stage.answers() == []
        mock_clock.jump(1)
        assert await stage.answers() == [], "an interim response would tear the frame apart"
        stage.engine.held[0].finish()
        assert statuses(await stage.answers()) == [0, 0, 0]
        assert len(stage.wire.frames) == 0


async def test_when_the_last_waits_the_others_leave_ahead_of_its_interim_response(
    tmp_path, mock_clock
):
    async with on_stage(tmp_path) as stage:
        stage.burst(stage.peer.related(create("a"), READ_IT))
        assert await stage.answers() == []
        mock_clock.jump(FOR_FILES_AFTER)
        await wait_all_tasks_blocked()
        assert len(stage.wire.frames) == 2, "cifs.ko loses what a PENDING comes with"
        created, interim = await stage.answers()
        assert (created.status, interim.status) == (0, NtStatus.PENDING)
        assert created.file_id != bytes(16)
        stage.engine.held[0].finish(b"data")
        final = await stage.answer()
        assert (final.status, final.data) == (0, b"data")
        assert final.flags & ASYNC
        assert final.async_id == interim.async_id


async def test_a_command_that_nobody_knows_is_refused_alone(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        stage.burst(stage.peer.related(create("a"), (0x55, messages.EMPTY), CLOSE_IT))
        created, refused, closed = await stage.answers()
        assert created.status == 0
        assert refused.status == NtStatus.INVALID_PARAMETER
        assert closed.status == 0


async def test_what_breaks_the_protocol_in_a_later_part_stops_all_of_it(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        twice = {"message_id": stage.peer.next_id}
        frame = stage.peer.compound(create("a"), (ECHO, messages.EMPTY, twice))
        with pytest.raises(ProtocolError, match="message id"):
            stage.burst(frame)
        assert not (tmp_path / "a").exists()


def end_of_file(answer):
    """Of FileStandardInformation."""
    return unpack_from("<Q", answer.output, 8)[0]


async def test_what_a_create_has_seen_its_followers_tell_until_something_is_done_to_the_file(
    tmp_path, mock_clock, monkeypatch
):
    (tmp_path / "a").write_bytes(b"12345")
    look, looks = vfs.information, []

    def counted(file):
        looks.append(file)
        return look(file)

    for module in (query_info.vfs, close):
        monkeypatch.setattr(module, "information", counted)
    known = create("a", disposition=messages.FILE_OPEN)
    told_close = (CLOSE, messages.close(PREVIOUS_FILE, 1))
    async with on_stage(tmp_path) as stage:
        if not stage.root.lookup.has_cache:
            pytest.skip("this kernel has no RESOLVE_CACHED (Linux 5.12)")
        (tmp_path / "a").stat()
        read_alone = create("a", disposition=messages.FILE_OPEN, access=0x120089)
        stage.burst(stage.peer.related(read_alone, STAT_IT, STAT_IT, told_close))
        created, *told, closed = await stage.answers()
        assert created.end_of_file == 5
        assert [end_of_file(one) for one in told] == [5, 5]
        assert unpack_from("<Q", closed.raw, 64 + 48)[0] == 5
        assert not looks
        stage.burst(stage.peer.related(known, WRITE_AT_5, STAT_IT, CLOSE_IT))
        while not stage.engine.held:
            await wait_all_tasks_blocked()
        (tmp_path / "a").write_bytes(b"1234567890")
        stage.engine.held[0].finish()
        _, _, told, _ = await stage.answers()
        assert end_of_file(told) == 10


WRITE_AT_5 = (WRITE, messages.write(PREVIOUS_FILE, b"data", 5))


async def test_the_next_compound_asks_for_what_it_tells(tmp_path, mock_clock):
    async with on_stage(tmp_path) as stage:
        for content in (b"", b"1", b"12"):
            (tmp_path / "a").write_bytes(content)
            stage.burst(stage.peer.related(create("a"), STAT_IT, CLOSE_IT))
            _, told, _ = await stage.answers()
            assert end_of_file(told) == len(content)


async def test_a_compound_of_long_answers_is_one_frame_as_well(tmp_path, mock_clock):
    (tmp_path / "a").write_bytes(b"data")
    async with on_stage(tmp_path) as stage:
        eas = (QUERY_INFO, messages.query_info(PREVIOUS_FILE, 18, length=65536))
        stage.burst(stage.peer.related(create("a"), *[eas] * 100, CLOSE_IT))
        answers = await stage.answers()
        assert statuses(answers) == [0] * 102
        assert len({one.output for one in answers[1:-1]}) == 1


async def test_a_link_that_goes_is_counted_out_once_by_each_of_the_followers(tmp_path, mock_clock):
    (tmp_path / "a").touch()
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    async with on_stage(tmp_path) as stage:
        file_id = await stage.open("a")
        stage.ask(SET_INFO, messages.set_info(file_id, 13, b"\1"))
        assert (await stage.answer()).status == 0
        (tmp_path / "b").stat()
        stage.burst(stage.peer.related(create("b"), STAT_IT, STAT_IT, CLOSE_IT))
        created, *told, closed = await stage.answers()
        assert created.status == closed.status == 0
        assert [unpack_from("<I", one.output, 16)[0] for one in told] == [1, 1]
