"""READs that wait on a pipe have the messages in their order."""

import pytest

from smbd.ntstatus import NtError, NtStatus
from smbd.state import PipeOpen


class EchoPipe:
    """Each write is a message to be read; of an empty one the pipe breaks."""

    def __init__(self):
        self.messages = []
        self.broken = False
        self.more = False

    @property
    def is_readable(self):
        return bool(self.messages) or self.broken

    @property
    def available(self):
        return sum(map(len, self.messages))

    def write(self, data):
        if not data:
            self.broken = True
            raise NtError(NtStatus.PIPE_DISCONNECTED)
        self.messages.append(data)

    def read(self, limit):
        return self.messages.pop(0)[:limit]

    def transceive(self, data, limit):
        self.messages.append(data[limit:])
        return data[:limit]


def a_pipe():
    return PipeOpen(1, 1, "echo", 0x1F01FF, EchoPipe())


def test_a_message_is_for_the_first_and_the_next_one_for_the_next():
    opened = a_pipe()
    first, second = opened.wait(), opened.wait()
    assert not first.over
    opened.write(b"one")
    assert (first.over, second.over) == (True, False)
    opened.pipe.read(10)
    first.give_up()
    assert not second.over
    opened.write(b"two")
    assert second.over
    assert second.status == 0


def test_one_that_gives_up_leaves_its_message_to_the_next():
    opened = a_pipe()
    first, second = opened.wait(), opened.wait()
    opened.write(b"one")
    first.give_up()
    first.give_up()
    assert second.over


def test_what_a_transceive_leaves_unread_is_for_the_first():
    opened = a_pipe()
    first = opened.wait()
    assert opened.transceive(b"longer", 4) == b"long"
    assert first.over


def test_a_pipe_that_breaks_wakes_one_after_the_other():
    opened = a_pipe()
    first, second = opened.wait(), opened.wait()
    with pytest.raises(NtError):
        opened.write(b"")
    assert (first.over, first.status, second.over) == (True, 0, False)
    first.give_up()
    assert second.over


def test_a_close_ends_all_that_wait():
    opened = a_pipe()
    places = [opened.wait() for _ in range(3)]
    opened.close()
    assert [place.status for place in places] == [NtStatus.PIPE_BROKEN] * 3
    for place in places:
        place.give_up()
    assert not opened.readers
