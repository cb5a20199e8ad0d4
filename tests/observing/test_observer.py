"""An observer sees every request and frame of a server, and may stand in their way."""

import pytest
import trio

from smbd.ntstatus import NtError, NtStatus
from smbd.observing import Observer, subject_of
from smbd.request import Reply
from smbd.testing import serve
from tests.core import messages
from tests.core.messages import CLOSE, CREATE, READ, RELATED
from tests.scripted import PENDING, WINDOWS, clients

OF_BEFORE = b"\xff" * 16


class Journal(Observer):
    """Notes all that it is told."""

    def __init__(self):
        self.begun, self.answered, self.frames_in, self.frames_out = [], [], [], []

    def received(self, connection, frame):  # noqa: ARG002
        self.frames_in.append(bytes(frame))

    def begin(self, request):
        self.begun.append(subject_of(request))

    def replied(self, request, reply):
        assert reply.frame[4:8] == b"\xfeSMB"
        self.answered.append((request.row.name, reply.status))

    def sent(self, connection, buffers):  # noqa: ARG002
        self.frames_out.append(b"".join(map(bytes, buffers)))
        return buffers


@pytest.fixture(params=["off", "required"])
async def served(request, tmp_path):
    """A server with a file, and a client that is connected to it: signed, and sealed."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"x" * 100_000)
    async with serve(tmp_path, encryption=request.param) as server, clients(server) as make:
        client = await make(WINDOWS).connect()
        yield server.server, client


async def test_it_sees_who_asks_for_what_and_what_the_answer_is(served):
    server, client = served
    server.observe(journal := Journal())
    file_id = await client.open(r"a\file")
    await client.read(file_id)
    await client.create("missing", disposition=1)
    of_file = ("test", "share", "a/file")
    assert journal.begun == [
        ("CREATE", *of_file), ("READ", *of_file), ("CREATE", "test", "share", "missing"),
    ]  # fmt: skip
    assert journal.answered == [
        ("CREATE", 0), ("READ", 0), ("CREATE", NtStatus.OBJECT_NAME_NOT_FOUND),
    ]  # fmt: skip


async def test_of_a_compound_it_sees_each_request(served):
    server, client = served
    server.observe(journal := Journal())
    await client.ask_related(
        (CREATE, messages.create(r"a\file")),
        (READ, messages.read(OF_BEFORE, 0, 10)),
        (CLOSE, messages.close(OF_BEFORE)),
    )
    assert [(one.command, one.path) for one in journal.begun] == [
        ("CREATE", "a/file"), ("READ", "a/file"), ("CLOSE", "a/file"),
    ]  # fmt: skip
    assert len(journal.frames_in) == len(journal.frames_out) == 1


async def test_it_sees_frames_as_they_are_on_the_wire(served):
    server, client = served
    server.observe(journal := Journal())
    sealed = client.session.must_seal
    await client.read(await client.open(r"a\file"))
    for frame in journal.frames_in:
        assert frame.startswith(b"\xfdSMB" if sealed else b"\xfeSMB")
    for frame in journal.frames_out:
        assert int.from_bytes(frame[:4], "big") == len(frame) - 4
        assert frame[4:8] == (b"\xfdSMB" if sealed else b"\xfeSMB")
    assert len(journal.frames_in) == len(journal.frames_out) == 2


async def test_reads_that_c_would_answer_are_seen_by_one_that_comes_later_too(served):
    server, client = served
    file_id = await client.open(r"a\file")
    for _ in range(5):
        await client.read(file_id)
    server.observe(journal := Journal())
    for _ in range(5):
        await client.read(file_id)
    assert journal.answered == [("READ", 0)] * 5
    server.unobserve(journal)
    assert len((await client.read(file_id)).data) == 4096
    assert len(journal.answered) == 5


async def test_it_may_answer_in_the_place_of_a_command(served):
    class Refuses(Observer):
        def begin(self, request):
            if request.command == READ:
                raise NtError(NtStatus.DISK_FULL)
            return Reply.of_error(NtStatus.CANCELLED) if request.command == CLOSE else None

    server, client = served
    server.observe(refuses := Refuses())
    server.observe(journal := Journal())
    file_id = await client.open(r"a\file")
    assert (await client.read(file_id)).status == NtStatus.DISK_FULL
    assert (await client.close(file_id)).status == NtStatus.CANCELLED
    assert [status for _, status in journal.answered] == [0, NtStatus.DISK_FULL, NtStatus.CANCELLED]
    server.unobserve(refuses)
    assert (await client.close(file_id)).status == 0


@pytest.mark.parametrize("alone", [True, False])
async def test_it_may_hold_a_request_back_and_go_on_with_it(served, alone):
    gate = trio.Event()

    class Holds(Observer):
        def begin(self, request):
            return self.around if request.command == READ else None

        async def around(self, request, carry_out):
            request.work.hold(tell=True)
            await gate.wait()
            request.work.go_on()
            return await carry_out()

    server, client = served
    server.observe(journal := Journal())
    server.observe(Holds())
    if alone:
        file_id = await client.open(r"a\file")
        asked = await client.begin(READ, messages.read(file_id, 0, 10))
    else:
        ids = await client.begin_compound(
            (CREATE, messages.create(r"a\file")),
            (READ, messages.read(OF_BEFORE, 0, 10)),
            flags=RELATED,
        )
        asked = ids[-1]
    assert (await client.interim(asked)).status == PENDING
    gate.set()
    assert (await client.reply(asked)).data == b"x" * 10
    assert journal.answered == [("CREATE", 0), ("READ", PENDING), ("READ", 0)]
