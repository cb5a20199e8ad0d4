"""What the rows say of the commands, against messages and the specification."""

from struct import pack

import pytest

from smbd.commands import TABLE
from smbd.rows import PIPE_ROWS, ROWS
from smbd.wire.file_id import parse_file_id
from tests.core import messages
from tests.core.messages import (
    CHANGE_NOTIFY,
    CLOSE,
    FLUSH,
    IOCTL,
    LOCK,
    QUERY_DIRECTORY,
    QUERY_INFO,
    READ,
    SET_INFO,
    WRITE,
)

FILE_ID = pack("<QQ", 0x1122334455667788, 0x99AABBCCDDEEFF00)
NAME_A_FILE = {
    CLOSE: messages.close(FILE_ID),
    FLUSH: messages.flush(FILE_ID),
    READ: messages.read(FILE_ID),
    WRITE: messages.write(FILE_ID, b"data"),
    LOCK: messages.lock(FILE_ID, (0, 1, 2)),
    IOCTL: messages.ioctl(FILE_ID, 0),
    QUERY_DIRECTORY: messages.query_directory(FILE_ID),
    CHANGE_NOTIFY: messages.change_notify(FILE_ID),
    QUERY_INFO: messages.query_info(FILE_ID, 5),
    SET_INFO: messages.set_info(FILE_ID, 4, bytes(40)),
}


@pytest.mark.parametrize("command", NAME_A_FILE)
def test_the_file_id_stands_where_the_row_says(command):
    frame = memoryview(messages.message(command, NAME_A_FILE[command]))
    assert pack("<QQ", *parse_file_id(frame, ROWS[command].file_id_at)) == FILE_ID


def test_no_other_command_is_held_to_a_file():
    assert {one for one, row in ROWS.items() if row.file_id_at} == set(NAME_A_FILE)


def test_every_command_has_a_row_and_what_carries_it_out():
    assert set(ROWS) == set(TABLE) >= set(range(19))


def test_a_pipe_has_nothing_that_stays():
    assert not any(row.changes for row in PIPE_ROWS.values())
