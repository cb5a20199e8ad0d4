"""Compounds that open, ask and close: what is answered without the commands is what they answer."""

import errno
import os
import tempfile
from dataclasses import replace
from importlib import import_module
from math import inf
from pathlib import Path
from struct import pack_into
from time import time

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from smbd.auth import Identity
from smbd.commands.visit import _known
from smbd.crypto import Sealer, make_signer
from smbd.ntstatus import NtStatus, ProtocolError
from smbd.observing import Observer
from smbd.vfs.lookup import Lookup
from smbd.visits import Visits
from smbd.wire.negotiate_contexts import Cipher, SigningAlgorithm
from tests.commands.stage import asked, on_stage
from tests.core import messages
from tests.core.messages import (
    CLOSE,
    CREATE,
    DELETE,
    DELETE_ON_CLOSE,
    FILE_OPEN,
    LOGOFF,
    PREVIOUS_FILE,
    QUERY_INFO,
    SET_INFO,
    TREE_DISCONNECT,
    answers,
)

__all__ = ["asked"]

ATTRIBUTES, READS, WRITES = 0x80, 0x120089, 0x12019F
BASIC, STANDARD, EA, FULL_EA, NAME, ALL, STREAM, NETWORK_OPEN = 4, 5, 7, 15, 9, 18, 22, 34
DISPOSITION = 13
DIRECTORY, NO_DIRECTORY = 1, 0x40
BATCH = 9
CLOSE_IT = (CLOSE, messages.close(PREVIOUS_FILE))
TELL_AND_CLOSE = (CLOSE, messages.close(PREVIOUS_FILE, 1))


def ask(number, **how):
    return QUERY_INFO, messages.query_info(PREVIOUS_FILE, number, **how)


def visit(name="file", *between, access=ATTRIBUTES, close=CLOSE_IT, **wanted):
    wanted = {"disposition": FILE_OPEN, "access": access} | wanted
    return (CREATE, messages.create(name, **wanted)), *between, close


STAT = visit("file", ask(ALL), close=TELL_AND_CLOSE)
ON_DISK_ID = [(b"QFid", b"")]


@pytest.fixture(params=[True, False], ids=["remembered", "anew"])
def disk(request, monkeypatch):
    """Where the kernel can say that it need not wait."""
    monkeypatch.setattr("smbd.vfs.Root.SLOW_OPEN", inf)  # whatever this machine does
    settled = 0 if request.param else 1 << 62
    monkeypatch.setattr(import_module("smbd.vfs.records"), "_SETTLED_NS", settled)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        (folder / "file").write_bytes(b"data" * 1000)
        (folder / "folder").mkdir()
        (folder / "folder/inside").write_bytes(b"more")
        (folder / "read-only").touch(mode=0o400)
        (folder / "link").symlink_to("file")
        (folder / "known").touch()
        for one in (folder, folder / "folder"):
            os.utime(one, (time() + 3600, time()))  # to read them moves no time
        yield folder


@pytest.fixture
async def stage(disk):
    async with on_stage(disk) as stage:
        if not stage.root.lookup.has_cache:
            pytest.skip("this kernel has no RESOLVE_CACHED (Linux 5.12)")
        await stage.open("known")  # a worker finds out which file system this is
        yield stage


async def carried_out(stage, *commands, **how):
    stage.burst(stage.peer.related(*commands, **how))
    return await stage.answers()


async def statuses(stage, *commands, **how):
    return [one.status for one in await carried_out(stage, *commands, **how)]


async def visited(stage, asked, *commands):
    """The answers of a visit: a rename on this machine may send one of them to the commands."""
    for _ in range(50):
        asked.clear()
        found = await carried_out(stage, *commands)
        if not asked:
            return found
    raise AssertionError("the commands were asked each time")


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def closed(stage, file_id):
    stage.ask(CLOSE, messages.close(file_id))
    return (await stage.answer()).status


async def test_only_the_first_of_a_form_goes_to_the_commands(stage, asked):
    first = await carried_out(stage, *STAT)
    second = await visited(stage, asked, *STAT)
    inside = visit("folder\\inside", ask(ALL), close=TELL_AND_CLOSE)
    other = await visited(stage, asked, *inside)
    assert [one.status for one in second + other] == [0] * 6
    assert second[1].output == first[1].output
    assert second[2].body == first[2].body
    assert other[0].end_of_file == 4
    assert "\\folder\\inside".encode("utf-16-le") in other[1].output
    assert second[0].file_id not in {first[0].file_id, other[0].file_id}
    assert [one.granted for one in second] == [one.granted for one in first]
    assert (first[0].message_id - second[0].message_id) % 3 == 0
    ids = [one.message_id for one in second]
    assert ids == [ids[0], ids[0] + 1, ids[0] + 2]


async def test_a_client_that_asks_for_the_id_on_disk_is_told(stage, asked):
    """cifs.ko does each time; where the context lies depends on the name's length."""
    names = ["file", "folder", "link", "folder\\inside"]
    first = {}
    for name in names:
        (opened,) = await carried_out(stage, visit(name, contexts=ON_DISK_ID)[0])
        first[name] = opened.body
        await closed(stage, opened.file_id)
    await carried_out(stage, *visit(contexts=ON_DISK_ID))
    for name in names:
        opened, _ = await visited(stage, asked, *visit(name, contexts=ON_DISK_ID))
        assert len(opened.body) > 88
        assert opened.body[80:] == first[name][80:]


async def test_a_context_may_lie_behind_more_padding(stage, asked):
    """cifs.ko pads a name whose length is a multiple of 8 by 8 more."""

    def padded(name):
        body = messages.create(name, disposition=FILE_OPEN, access=ATTRIBUTES, contexts=ON_DISK_ID)
        start = int.from_bytes(body[48:52], "little")
        more = 8 if len(name) % 4 == 0 else 0
        moved = (start + more).to_bytes(4, "little")
        at = start - 64
        return (CREATE, body[:48] + moved + body[52:at] + bytes(more) + body[at:]), CLOSE_IT

    await carried_out(stage, *padded("folder"))
    for name in ("file", "link", "folder", "folder\\inside"):
        assert [one.status for one in await visited(stage, asked, *padded(name))] == [0, 0]


@pytest.mark.parametrize("context", [(b"QFid", b"more"), (b"QFiD", b""), (b"MxAc", b"")])
async def test_another_context_than_the_first_had_goes_to_the_commands(stage, asked, context):
    await carried_out(stage, *visit(contexts=ON_DISK_ID))
    asked.clear()
    assert await statuses(stage, *visit(contexts=[context])) == [0, 0]
    assert len(asked) == 1


async def test_a_context_that_overlaps_the_name_goes_to_the_commands(stage, asked):
    await carried_out(stage, *visit(contexts=ON_DISK_ID))
    for start in (0, 120, 1 << 31):
        frame = bytearray(stage.peer.related(*visit(contexts=ON_DISK_ID)))
        pack_into("<I", frame, 64 + 48, start)
        asked.clear()
        stage.burst(bytes(frame))
        await stage.answers()
        assert len(asked) == 1


async def told(stage, asked, *commands):
    """All that the answers say but the FileIds; twice, so that the second is remembered."""
    for _ in range(2):
        answers = await visited(stage, asked, *commands)
    return [one.body[:64] + one.body[80:] if one.command == CREATE else one.body for one in answers]


def write(path):
    path.write_bytes(b"longer" * 1000)


def set_mode(path):
    path.chmod(0o444)


def link(path):
    path.with_name("another").hardlink_to(path)


def set_record(path):
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:  # the clock of inodes has ticks
        os.setxattr(path, "user.EA", b"value")


def replace_it(path):
    (path.parent / "folder/inside").rename(path)


def turn_into_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "change", [write, set_mode, link, set_record, replace_it, turn_into_folder]
)
async def test_what_another_program_changes_shows_in_the_next(stage, disk, asked, change):
    all_of_it = visit("file", ask(ALL), ask(EA), close=TELL_AND_CLOSE)
    await carried_out(stage, *all_of_it)
    before = await told(stage, asked, *all_of_it)
    change(disk / "file")
    after = await told(stage, asked, *all_of_it)
    assert after != before
    asked.clear()
    (opened,) = await carried_out(stage, all_of_it[0])
    assert opened.body[:64] == after[0][:64]  # as CREATE alone has it
    stage.ask(CLOSE, messages.close(opened.file_id))
    await stage.answers()


async def test_one_who_may_not_read_the_file_is_refused(stage, disk, monkeypatch):
    reads = visit(access=READS)
    for _ in range(3):
        assert await statuses(stage, *reads) == [0] * 2
    monkeypatch.setattr("smbd.vfs.permission._may", lambda *_: False)
    monkeypatch.setattr(Lookup, "reopen", refuse)
    set_mode(disk / "file")
    assert await statuses(stage, *reads) == [NtStatus.ACCESS_DENIED] * 2


def refuse(*_, **__):
    raise PermissionError(errno.EACCES, "no")


async def test_few_answers_are_remembered(stage, disk, asked, monkeypatch):
    monkeypatch.setattr("smbd.commands.visit._MOST_KNOWN", 4)
    await carried_out(stage, *STAT)
    for number in range(20):
        (disk / f"file {number}").touch()
        await carried_out(stage, *visit(f"file {number}", ask(ALL), close=TELL_AND_CLOSE))
    assert len(_known) <= 4


async def test_its_file_is_closed_with_its_answer(stage, disk, asked):
    count = descriptors()
    for _ in range(3):
        await carried_out(stage, *visit(access=READS))
    assert descriptors() == count
    file_id = (await carried_out(stage, *visit(access=READS)))[0].file_id
    assert await closed(stage, file_id) == NtStatus.FILE_CLOSED


NOT_VISITS = [
    visit(access=WRITES),
    visit(access=0x02000000),  # MAXIMUM_ALLOWED
    visit(access=ATTRIBUTES, oplock=BATCH),
    visit("folder", access=READS, contexts=[(b"MxAc", b"")]),
    visit("file", ask(STREAM)),
    visit("file", ask(ALL, length=104)),  # it is cut
    visit("file", (QUERY_INFO, messages.query_info(PREVIOUS_FILE, 3, info_type=2))),
    visit("file", ask(BASIC), ask(BASIC), ask(BASIC), ask(BASIC), ask(BASIC)),
    (visit()[0], visit()[0], CLOSE_IT),
]


@pytest.mark.parametrize("commands", NOT_VISITS)
async def test_what_may_meet_others_or_wait_goes_to_the_commands(stage, asked, commands):
    first = await statuses(stage, *commands)
    asked.clear()
    assert await statuses(stage, *commands) == first
    assert len(asked) == 1


async def test_what_fails_is_answered_by_the_commands(stage, disk, asked):
    await carried_out(stage, *STAT)
    await carried_out(stage, *visit("file", close=CLOSE_IT, options=NO_DIRECTORY))
    for name, status in (
        ("gone", NtStatus.OBJECT_NAME_NOT_FOUND),
        ("gone\\file", NtStatus.OBJECT_PATH_NOT_FOUND),
        ("a\\..\\..", NtStatus.OBJECT_PATH_SYNTAX_BAD),
        ("a*", NtStatus.OBJECT_NAME_INVALID),
    ):
        commands = visit(name, ask(ALL), close=TELL_AND_CLOSE)
        assert await statuses(stage, *commands) == [status] * 3
    wrong = NtStatus.FILE_IS_A_DIRECTORY
    assert await statuses(stage, *visit("folder", options=NO_DIRECTORY)) == [wrong] * 2


async def test_a_visit_agrees_with_the_opens_that_there_are(stage, asked):
    reads = visit(access=READS)
    for _ in range(3):
        await carried_out(stage, *reads)
    shared = await stage.open("file", access=READS)
    assert [one.status for one in await visited(stage, asked, *reads)] == [0, 0]
    await closed(stage, shared)
    await stage.open("file", access=READS, share=0)
    status = NtStatus.SHARING_VIOLATION
    assert await statuses(stage, *reads) == [status] * 2
    await carried_out(stage, *STAT)  # attributes are anybody's
    assert [one.status for one in await visited(stage, asked, *STAT)] == [0] * 3


async def test_a_file_that_is_to_be_deleted_is_visited_no_more(stage):
    await carried_out(stage, *STAT)
    going = await stage.open("file", access=DELETE)
    stage.ask(SET_INFO, messages.set_info(going, DISPOSITION, b"\1"))
    assert (await stage.answer()).status == 0
    assert await statuses(stage, *STAT) == [NtStatus.DELETE_PENDING] * 3
    assert await closed(stage, going) == 0
    assert await statuses(stage, *STAT) == [NtStatus.OBJECT_NAME_NOT_FOUND] * 3


async def test_a_visit_that_reads_asks_for_what_others_cache(stage, mock_clock):
    reads = visit(access=READS)
    await carried_out(stage, *reads)
    cached = await stage.open("file", access=WRITES, oplock=BATCH)
    assert await statuses(stage, *STAT) == [0] * 3  # attributes break nothing
    stage.burst(stage.peer.related(*reads))
    (broken,) = await stage.answers()
    assert broken.message_id == messages.UNASKED
    stage.ask(messages.OPLOCK_BREAK, messages.oplock_break(cached, 1))
    assert [one.status for one in await stage.answers()] == [0] * 3


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (TREE_DISCONNECT, NtStatus.NETWORK_NAME_DELETED),
        (LOGOFF, NtStatus.USER_SESSION_DELETED),
    ],
)
async def test_a_session_and_a_tree_connect_that_have_ended_are_gone(stage, command, status):
    await carried_out(stage, *STAT)
    stage.ask(command)
    assert (await stage.answer()).status == 0
    assert (await statuses(stage, *STAT))[0] == status


async def test_a_suspended_session_looks_at_nothing(stage):
    await carried_out(stage, *STAT)
    stage.session.suspended = True
    assert (await statuses(stage, *STAT))[0] == NtStatus.NETWORK_SESSION_EXPIRED
    stage.session.suspended = False
    assert await statuses(stage, *STAT) == [0] * 3


async def test_another_identity_has_its_own_rights(stage, asked):
    await carried_out(stage, *STAT)
    asked.clear()
    stage.session.identity = Identity("else", "", b"", is_guest=False, is_anonymous=False)
    assert await statuses(stage, *STAT) == [0] * 3
    assert len(asked) == 1


async def test_what_the_tree_connect_allows_is_asked_for_each(stage):
    deletes = visit(access=DELETE)
    assert await statuses(stage, *deletes) == [0] * 2
    (tree,) = stage.session.trees.values()
    tree.maximal_access &= ~DELETE
    assert await statuses(stage, *deletes) == [NtStatus.ACCESS_DENIED] * 2


async def test_an_observer_sees_all_of_them(stage, asked):
    class Nothing(Observer):
        pass

    await visited(stage, asked, *STAT)
    stage.dispatch.observe((Nothing(),))
    asked.clear()
    for _ in range(3):
        await carried_out(stage, *STAT)
    assert len(asked) == 3


async def test_a_tree_connect_that_is_barred_or_sealed_refuses(stage):
    await carried_out(stage, *STAT)
    (tree,) = stage.session.trees.values()
    for field in ("barred", "encrypt"):
        setattr(tree, field, True)
        assert (await statuses(stage, *STAT))[0] == NtStatus.ACCESS_DENIED
        setattr(tree, field, False)


async def test_an_unsigned_visit_is_refused_once_signatures_are_due(stage):
    await carried_out(stage, *STAT)
    stage.session.signing_required = True
    assert (await statuses(stage, *STAT))[0] == NtStatus.ACCESS_DENIED


@pytest.mark.parametrize("algorithm", [SigningAlgorithm.AES_GMAC, SigningAlgorithm.HMAC_SHA256])
async def test_each_request_is_verified_and_each_answer_is_signed(stage, asked, algorithm):
    signer = make_signer(algorithm, bytes(range(16)))
    stage.session.signer = stage.connection.channels[7].signer = signer
    stage.session.signing_required = True
    stage.peer.session.signer = signer
    await carried_out(stage, *STAT)
    for one in await visited(stage, asked, *STAT):
        assert one.status == 0
        assert one.flags & messages.SIGNED
        assert signer.verify(memoryview(one.raw))
    for place in range(3):
        frame = bytearray(stage.peer.related(*STAT))
        at = 0
        for _ in range(place):
            at += int.from_bytes(frame[at + 20 : at + 24], "little")
        frame[at + 48] ^= 1
        stage.burst(bytes(frame))
        assert (await stage.answers())[place].status == NtStatus.ACCESS_DENIED


async def test_what_is_sealed_is_answered_sealed(stage, asked):
    keys = bytes(range(16)), bytes(range(16, 32))
    client = stage.peer.session.sealer = Sealer(Cipher.AES_128_GCM, *keys)
    stage.session.sealer = Sealer(Cipher.AES_128_GCM, *reversed(keys))
    stage.session.encrypt = True

    async def ask_sealed():
        asked.clear()
        stage.burst(stage.peer.sealed(stage.peer.related(*STAT)))
        await wait_all_tasks_blocked()
        (frame,), stage.wire.frames = stage.wire.frames, []
        return answers(bytes(client.open(memoryview(frame))))

    first = await ask_sealed()
    for _ in range(50):  # as in `visited`
        second = await ask_sealed()
        if not asked:
            break
    assert not asked
    assert [one.status for one in first + second] == [0] * 6
    assert [one.body for one in second[1:]] == [one.body for one in first[1:]]
    assert not any(one.flags & messages.SIGNED for one in second)
    assert (await statuses(stage, *STAT))[0] == NtStatus.ACCESS_DENIED


async def test_a_message_id_that_came_before_costs_the_connection(stage):
    await carried_out(stage, *STAT)
    frame = bytearray(stage.peer.related(*STAT))
    at = 0
    for _ in range(3):
        pack_into("<Q", frame, at + 24, int.from_bytes(frame[at + 24 : at + 32], "little") - 3)
        at += int.from_bytes(frame[at + 20 : at + 24], "little")
    with pytest.raises(ProtocolError):
        stage.burst(bytes(frame))


async def test_limits_hold_for_visits(stage):
    await carried_out(stage, *STAT)
    stage.service.tables.opens.limit = len(stage.service.tables.opens)
    assert (await statuses(stage, *STAT))[0] == NtStatus.INSUFFICIENT_RESOURCES
    stage.service.tables.opens.limit = 1000
    config = stage.service.config
    server = replace(config.server, limits=replace(config.server.limits, opens=1))
    stage.service.config = replace(config, server=server)
    assert (await statuses(stage, *STAT))[0] == NtStatus.INSUFFICIENT_RESOURCES


async def test_forms_that_never_come_again_are_learnt_no_more(stage):
    for place in range(40):
        await carried_out(stage, *visit(access=READS, attributes=place % 20))
    assert len(stage.dispatch._learned.visits._forms) <= 16


# --- beside the commands ---

NAMES = ["file", "folder", "folder\\inside", "folder\\", "read-only", "link", "FILE", "none", ""]
visits = st.builds(
    visit,
    st.sampled_from(NAMES),
    *[st.sampled_from([BASIC, STANDARD, EA, NAME, ALL, NETWORK_OPEN]).map(ask)],
    access=st.sampled_from([ATTRIBUTES, READS, 0x80000000, 0x20000, DELETE, 0x100000]),
    share=st.sampled_from([0, 1, 7]),
    options=st.sampled_from([0, DIRECTORY, NO_DIRECTORY, 0x200000]),
    close=st.sampled_from([CLOSE_IT, TELL_AND_CLOSE]),
    contexts=st.sampled_from([(), ON_DISK_ID]),
)
held = st.sampled_from(
    [
        None,
        {"access": READS},
        {"access": READS, "share": 0},
        {"access": WRITES, "share": 7},
        {"access": DELETE, "options": DELETE_ON_CLOSE},
    ]
)


def play(disk, patch, steps):
    """The answers' bytes but the FileIds."""
    found = []

    async def playing():
        async with on_stage(disk) as stage:
            await stage.open("known")
            for commands, other in steps:
                file_id = None if other is None else await stage.open("file", **other)
                for _ in range(2):
                    for one in await carried_out(stage, *commands):
                        raw = bytearray(one.raw)
                        if one.command == CREATE and not one.status:
                            raw[128:144] = bytes(16)
                        found.append(bytes(raw))
                if file_id is not None:
                    for opened in list(stage.service.tables.opens):
                        opened.delete_on_close = False
                    stage.ask(CLOSE, messages.close(file_id))
                    await stage.answers()

    with pytest.MonkeyPatch.context() as changes:
        if patch:
            changes.setattr(Visits, "answer", lambda *_: None)
        trio.run(playing)
    return found


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.tuples(visits, held), min_size=1, max_size=6))
def test_the_bytes_are_those_of_the_commands(disk, steps):
    assert play(disk, patch=True, steps=steps) == play(disk, patch=False, steps=steps)
