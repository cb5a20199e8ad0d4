"""Small files that are opened, queried, read and closed, one after the other."""

import os
from dataclasses import dataclass
from pathlib import Path
from struct import unpack_from

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbd import predicted
from smbd.commands import query_info
from smbd.ntstatus import NtStatus
from tests.commands.stage import asked
from tests.core import messages
from tests.core.messages import CLOSE, CREATE, QUERY_INFO, READ, SET_INFO, WRITE, answers

from .rig import a_folder, a_rig, begin, settle_time
from .test_differential import Change, Script, both, core, story

__all__ = ["asked", "core"]

READS, EVERYTHING, ATTRIBUTES = 0x120089, 0x1F01FF, 0x80
BASIC, STANDARD, ALL, POSITION = 4, 5, 18, 14
DISPOSITION = 13
LAST_WRITE_AT, SIZE_AT, LINKS_AT = 72 + 16, 72 + 48, 72 + 56


@pytest.fixture
def disk(monkeypatch):
    files = {f"{number}": bytes([number]) * 100 for number in range(12)}
    with a_folder(monkeypatch, **files) as folder:
        yield folder


@pytest.fixture
async def rig(disk):
    async with a_rig(disk, native=True) as found:
        file_id = await found.stage.open("0", access=READS)  # by a worker
        await begin(found)
        await ask(found, READ, messages.read(file_id))
        await ask(found, CLOSE, messages.close(file_id))
        await fetch(found, "0")
        yield found


async def ask(rig, command, body, **fields):
    (reply,) = await rig.ask(rig.stage.peer.request(command, body, **fields))
    (answer,) = answers(reply)
    return answer


async def created(rig, name, **how):
    body = messages.create(name, **{"access": READS, "disposition": messages.FILE_OPEN} | how)
    answer = await ask(rig, CREATE, body)
    assert answer.status == 0
    return answer.file_id


async def query(rig, file_id, **how):
    return await ask(rig, QUERY_INFO, messages.query_info(file_id, how.pop("kind", ALL), **how))


async def close(rig, file_id, flags=0):
    return await ask(rig, CLOSE, messages.close(file_id, flags))


async def fetch(rig, name):
    file_id = await created(rig, name)
    found = await query(rig, file_id), await ask(rig, READ, messages.read(file_id))
    assert (await close(rig, file_id)).status == 0
    return found


def path_of(rig, name):
    return Path(rig.stage.root.absolute_path, name)


def commands(asked):
    found = [frame[12] for frame in asked]
    asked.clear()
    return found


async def test_only_the_open_of_the_next_file_is_for_the_commands(rig, asked):
    asked.clear()
    for number in range(1, 12):
        told, data = await fetch(rig, f"{number}")
        assert unpack_from("<Q", told.raw, SIZE_AT) == (100,)
        assert data.data == bytes([number]) * 100
    assert commands(asked) == [CREATE] * 11


async def test_a_close_is_carried_out(rig, asked):
    engine, opens = rig.stage.engine, rig.stage.service.tables.opens
    file_id = await created(rig, "1", share=0)
    (one,) = opens
    fd = one.file.fd
    asked.clear()
    assert (await close(rig, file_id)).status == 0
    assert not asked
    assert not list(opens)
    assert one.closed
    assert fd not in engine._files
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    await created(rig, "1")  # nobody keeps it from being shared
    assert (await close(rig, file_id)).status == NtStatus.FILE_CLOSED


async def test_requests_that_came_with_a_close_find_the_file_closed(rig):
    file_id = await created(rig, "1")
    request, read = rig.stage.peer.request, messages.read(file_id)
    frames = [request(CLOSE, messages.close(file_id)), request(READ, read), request(READ, read)]
    replies = [answers(one)[0].status for one in await rig.ask(*frames)]
    assert replies == [0, NtStatus.FILE_CLOSED, NtStatus.FILE_CLOSED]


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(bytes(200)),
        lambda path: os.utime(path, (0, 0)),
        lambda path: path.chmod(0o400),
        lambda path: os.setxattr(path, "user.DOSATTRIB", b"0x22\0"),
        lambda path: os.setxattr(path, "user.ea", b"value"),
        lambda path: os.link(path, path.with_name("link")),
        lambda path: path.unlink(),
    ],
)
async def test_what_another_program_does_to_the_file_is_told(rig, asked, change):
    file_id = await created(rig, "1")
    change(path_of(rig, "1"))
    asked.clear()
    told = await query(rig, file_id)
    assert commands(asked) == [QUERY_INFO]
    again = await query(rig, file_id)
    assert told.raw[64:] == again.raw[64:]
    await created(rig, "2")  # nothing is predicted of the first any more
    assert (await query(rig, file_id)).raw[64:] == told.raw[64:]


async def test_a_file_that_lost_its_name_is_closed_by_the_command(rig, asked):
    """With its descriptor go its blocks."""
    file_id = await created(rig, "1")
    path_of(rig, "1").unlink()
    asked.clear()
    assert (await close(rig, file_id)).status == 0
    assert commands(asked) == [CLOSE]


async def test_a_deletion_that_waits_for_the_close_is_carried_out_and_told_before(rig, asked):
    file_id = await created(rig, "1")
    other = await created(rig, "1", access=EVERYTHING)
    assert (await ask(rig, SET_INFO, messages.set_info(other, DISPOSITION, b"\1"))).status == 0
    await close(rig, other)
    asked.clear()
    assert unpack_from("<I?", (await query(rig, file_id)).raw, LINKS_AT) == (0, True)
    await close(rig, file_id)
    assert commands(asked) == [QUERY_INFO, CLOSE]
    assert not path_of(rig, "1").exists()


async def test_a_file_that_moved_is_told_by_its_new_name(rig):
    file_id = await created(rig, "1", access=EVERYTHING)
    path_of(rig, "1").rename(path_of(rig, "moved"))
    rig.stage.session.opens[int.from_bytes(file_id[8:], "little")].file.path = "moved"
    assert (await query(rig, file_id)).raw.endswith("\\moved".encode("utf-16-le"))


async def test_what_is_written_or_read_meanwhile_is_told(rig):
    file_id = await created(rig, "1", access=EVERYTHING)
    assert (await ask(rig, WRITE, messages.write(file_id, bytes(300)))).status == 0
    assert unpack_from("<Q", (await query(rig, file_id)).raw, SIZE_AT) == (300,)
    file_id = await created(rig, "2")
    await ask(rig, READ, messages.read(file_id))
    assert unpack_from("<Q", (await query(rig, file_id)).raw, 72 + 80) == (100,)


async def test_other_questions_are_for_the_command_and_then_they_are_known(rig, asked):
    for _ in range(2):
        file_id = await created(rig, "1")
        asked.clear()
        assert (await query(rig, file_id, kind=STANDARD)).status == 0
        found = commands(asked)
    assert not found
    assert (await query(rig, file_id, kind=STANDARD, length=8)).status != 0
    assert commands(asked) == [QUERY_INFO]


async def test_a_close_that_wants_to_know_more_is_for_the_command(rig, asked):
    file_id = await created(rig, "1")
    asked.clear()
    answer = await close(rig, file_id, 1)
    assert commands(asked) == [CLOSE]
    assert unpack_from("<Q", answer.raw, 64 + 48) == (100,)


async def test_answers_that_nobody_asks_for_are_soon_not_made(rig, monkeypatch):
    made, answer_of = [], query_info.answer_of

    def counted(*about):
        made.append(about)
        return answer_of(*about)

    async def read_alone():
        file_id = await created(rig, "1")
        await ask(rig, READ, messages.read(file_id))
        await close(rig, file_id)

    monkeypatch.setattr(query_info, "answer_of", counted)
    for _ in range(10):
        await read_alone()
    assert len(made) == predicted._MOST_UNASKED
    await fetch(rig, "2")  # from the next on they are again
    await fetch(rig, "3")
    assert len(made) == predicted._MOST_UNASKED + 1


async def test_what_has_no_rights_for_the_question_is_refused(rig):
    file_id = await created(rig, "1", access=1)
    assert (await query(rig, file_id)).status == NtStatus.ACCESS_DENIED


# --- with C and without it: the same, but for ids, inode numbers and times ---


@dataclass(frozen=True)
class Step:
    """What a client does with the file that it has opened last."""

    what: str
    number: int = 0
    size: int = 4096
    flags: int = 0


_OWN = {
    CREATE: [(72, 104), (128, 144)],
    QUERY_INFO: [(72, 104), (136, 144)],
    CLOSE: [(72, 104)],
}


class Fetching(Script):
    """A client of one file after the other."""

    def __init__(self, rig, opens):
        super().__init__(rig, opens)
        self.file_id = opens[0]
        for name in "cd":  # which nobody has open
            path_of(rig, name).write_bytes(bytes(5000))

    async def play(self, step):
        if isinstance(step, Change):
            step.make(self.rig, [self.file_id])
            return []
        request = self.rig.stage.peer.request
        if step.what == "elsewhere":
            _ELSEWHERE[step.number % len(_ELSEWHERE)](path_of(self.rig, "cd"[step.size % 2]))
            return []
        frame = request(*self.body(step), flags=step.flags)
        replies = await self.rig.ask(frame)
        return [self.seen(reply, step) for reply in replies]

    def body(self, step):
        file_id, number, size = self.file_id, step.number, step.size
        if step.what == "create":
            access = (READS, READS, EVERYTHING, 1, 0x110080)[size % 5]
            options = messages.DELETE_ON_CLOSE if number > 5 and access == EVERYTHING else 0
            how = {"access": access, "share": (7, 7, 1)[size % 3], "options": options}
            return CREATE, messages.create("cd"[number % 2], **how)
        if step.what == "query":
            kind = (ALL, ALL, BASIC, STANDARD, POSITION, 22)[number % 6]
            return QUERY_INFO, messages.query_info(file_id, kind, length=size)
        if step.what == "read":
            return READ, messages.read(file_id, number * 100, size)
        if step.what == "write":
            return WRITE, messages.write(file_id, bytes([number]) * size, number * 4096)
        if step.what == "delete":
            return SET_INFO, messages.set_info(file_id, DISPOSITION, bytes([number % 2]))
        return CLOSE, messages.close(file_id, number % 2)

    def seen(self, reply, step):
        (answer,) = answers(reply)
        shown = bytearray(reply)
        if not answer.status and answer.command in _OWN:
            if answer.command == CREATE:
                self.file_id = answer.file_id
            for start, end in _OWN[answer.command] if step.number % 6 < 3 else [(72, 144)]:
                shown[start:end] = bytes(len(shown[start:end]))
        return bytes(shown)


def _append(path):
    if path.exists():
        with path.open("ab") as file:
            file.write(b"more")


def _if_there(act):
    return lambda path: act(path) if path.exists() else None


_ELSEWHERE = [
    _append,
    _if_there(lambda path: path.unlink()),
    _if_there(lambda path: os.utime(path, (0, 0))),
    _if_there(lambda path: path.chmod(0o444)),
    _if_there(lambda path: os.setxattr(path, "user.ea", b"value")),
]
few = st.integers(0, 9)
sizes = st.sampled_from([4096, 4096, 4097, 65535, 65536, 0, 24, 101])
steps = st.builds(Step, st.sampled_from(["create", "query", "read", "close"]), few, sizes)
others = st.builds(
    Step,
    st.sampled_from(["write", "delete", "elsewhere", "query", "close"]),
    few,
    sizes,
    st.sampled_from([0, 0, 0, 0x20, 0x20000000]),
)
changes = st.builds(Change, st.sampled_from(["suspended", "signed", "tree", "sequence"]))
FETCHED = [Step("read"), *(Step(what) for what in ("create", "query", "read", "close") * 2)]


@story
@given(st.lists(st.one_of(*3 * [steps], *2 * [others], changes), min_size=4, max_size=24))
def test_c_tells_and_closes_as_the_commands_do(core, monkeypatch, told):
    settle_time(monkeypatch)
    both(core, [*FETCHED, *told], Fetching)
