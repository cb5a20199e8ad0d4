"""READ and WRITE ([MS-SMB2] 3.3.5.12, 3.3.5.13): every size, and every place in a file."""

import os

import pytest

from smbd.config import Limits
from smbd.ntstatus import NtStatus
from smbd.testing import serve_in_thread
from smbd.wire.access import Access
from tests.server.clients import PypiClient, refusal

MIB = 1 << 20
INT64_MAX = (1 << 63) - 1
SIZES = [0, 1, 4095, 4096, 4097, 65535, 65536, 65537, MIB, 3 * MIB + 1]


@pytest.mark.parametrize("size", SIZES)
def test_a_file_of_any_size_comes_back_as_it_went(folder, server, connect, size):
    data = os.urandom(size)
    with connect(server, "2.1") as client:  # impacket's CMAC takes a second for a mebibyte
        client.put("file", data)
        assert (folder / "file").read_bytes() == data
        assert client.get("file") == data


def test_a_new_file_over_a_longer_one_leaves_nothing_of_it(folder, client):
    client.put("file", b"long" * 1000)
    client.put("file", b"short")
    assert client.get("file") == b"short"


def with_credits(pypi, wanted):
    """smbprotocol asks for as many credits as it spends: ask for more."""
    window = pypi.connection.sequence_window
    while window["high"] - window["low"] < wanted:
        pypi.connection.echo(sid=pypi.session.session_id, credit_request=wanted)


def test_eight_mebibytes_go_in_one_request_where_that_is_allowed(folder):
    limits = Limits(max_read=8 * MIB, max_write=8 * MIB)
    with serve_in_thread(folder, limits=limits) as server, PypiClient(server) as pypi:
        assert pypi.connection.max_read_size == pypi.connection.max_write_size == 8 * MIB
        data = os.urandom(8 * MIB)
        with_credits(pypi, 300)
        opened = pypi.open("file")
        assert opened.write(data) == len(data)
        assert opened.read(0, 8 * MIB) == data
        opened.close()
        assert (folder / "file").read_bytes() == data


def test_more_than_the_maximum_is_refused(folder, pypi):
    with_credits(pypi, 300)
    opened = pypi.open("file")
    pypi.connection.max_read_size = pypi.connection.max_write_size = 16 * MIB
    assert refusal(opened.read, 0, MIB + 1) == NtStatus.INVALID_PARAMETER
    assert refusal(opened.write, bytes(MIB + 1)) == NtStatus.INVALID_PARAMETER
    opened.close()
    assert (folder / "file").read_bytes() == b""


def test_2_0_2_knows_no_more_than_64_kib(folder):
    with serve_in_thread(folder) as server, PypiClient(server, "2.0.2") as client:
        assert client.connection.max_read_size == client.connection.max_write_size == 65536
        data = os.urandom(65536)
        opened = client.open("file")
        assert opened.write(data) == len(data)
        assert opened.read(0, 65536) == data
        opened.close()


def test_reading_at_and_behind_the_end(pypi):
    opened = pypi.open("file")
    assert refusal(opened.read, 0, 10) == NtStatus.END_OF_FILE
    opened.write(b"0123456789")
    assert opened.read(0, 100) == b"0123456789"
    assert opened.read(7, 100) == b"789"
    assert refusal(opened.read, 10, 1) == NtStatus.END_OF_FILE
    assert refusal(opened.read, 1000, 1) == NtStatus.END_OF_FILE
    assert opened.read(10, 0) == b""
    opened.close()


def test_a_minimum_that_is_not_there_is_the_end(pypi):
    opened = pypi.open("file")
    opened.write(b"0123456789")
    assert opened.read(5, 5, min_length=5) == b"56789"
    assert refusal(opened.read, 5, 10, min_length=6) == NtStatus.END_OF_FILE
    opened.close()


def test_offsets_to_the_last_one(pypi):
    opened = pypi.open("file")
    assert refusal(opened.read, INT64_MAX - 1, 1) == NtStatus.END_OF_FILE
    assert refusal(opened.read, INT64_MAX, 1) == NtStatus.INVALID_PARAMETER
    assert refusal(opened.read, INT64_MAX + 1, 1) == NtStatus.INVALID_PARAMETER
    assert refusal(opened.write, b"x", INT64_MAX) == NtStatus.INVALID_PARAMETER
    assert refusal(opened.write, b"x", INT64_MAX + 1) == NtStatus.INVALID_PARAMETER
    opened.close()


def test_a_hole_reads_as_zeros_and_takes_no_room(folder, pypi):
    opened = pypi.open("file")
    opened.write(b"end", offset=64 * MIB)
    assert opened.read(0, 4096) == bytes(4096)
    assert opened.read(64 * MIB - 2, 10) == b"\0\0end"
    opened.close()
    stat = (folder / "file").stat()
    assert stat.st_size == 64 * MIB + 3
    assert stat.st_blocks * 512 < MIB


def test_a_hole_that_was_there_before(folder, client):
    with (folder / "sparse").open("wb") as file:
        file.truncate(MIB)
        file.seek(MIB // 2)
        file.write(b"in the middle")
    data = client.get("sparse")
    assert len(data) == MIB
    assert data.strip(b"\0") == b"in the middle"


def test_writes_in_any_order_make_one_file(folder, pypi):
    data = os.urandom(200_000)
    opened = pypi.open("file")
    for start in (150_000, 0, 100_000, 50_000):
        opened.write(data[start : start + 50_000], start)
    opened.write(data[70_000:130_000], 70_000)
    opened.close()
    assert (folder / "file").read_bytes() == data


def test_what_another_program_writes_is_read_at_once(folder, pypi):
    (folder / "file").write_bytes(b"first")
    opened = pypi.open("file")
    assert opened.read(0, 100) == b"first"
    (folder / "file").write_bytes(b"second, and longer")
    assert opened.read(0, 100) == b"second, and longer"
    opened.close()


def test_appending(folder, pypi):
    with pypi.call("open_file", "log", "a", share_access="rwd") as log:
        log.write("first\n")
    with pypi.call("open_file", "log", "a", share_access="rwd") as log:
        log.write("second\n")
    assert (folder / "log").read_text() == "first\nsecond\n"


def test_flush_and_write_through_wait_for_the_disk(folder, pypi, server):
    opened = pypi.open("file")
    opened.write(b"to the disk", write_through=True)
    opened.flush()
    (share,) = server.server.document()["shares"]
    assert share["fsyncs"] == 2
    opened.close()
    reader = pypi.open("file", access=Access.FILE_READ_DATA)
    assert refusal(reader.flush) == NtStatus.ACCESS_DENIED
    reader.close()


def test_a_directory_is_neither_read_nor_written(folder, pypi):
    (folder / "directory").mkdir()
    access = Access.FILE_READ_DATA | Access.FILE_WRITE_DATA
    opened = pypi.open("directory", access=access)
    assert refusal(opened.read, 0, 1) == NtStatus.INVALID_DEVICE_REQUEST
    assert refusal(opened.write, b"x") == NtStatus.INVALID_DEVICE_REQUEST
    opened.close()
