"""A folder in memory that is full when it is full, in all ways in which clients make files grow."""

import os
import shutil
import subprocess
import sys
from struct import unpack

import pytest

from smbd.content.memory import MemoryFolder
from smbd.ntstatus import NtStatus
from smbd.testing import serve_in_thread
from smbd.wire.fscc import FileSystemClass
from tests.server.clients import PypiClient, SambaClient, refusal
from tests.server.clients.controls import copy
from tests.server.clients.information import (
    allocate,
    query_raw_file_system,
    set_end_of_file,
)

MIB = 1 << 20
SIZE = 2 * MIB


def memory_or_skip(size):
    try:
        return MemoryFolder(size)
    except PermissionError as error:
        pytest.skip(str(error))


@pytest.fixture
def memory():
    with memory_or_skip(SIZE) as memory:
        yield memory


@pytest.fixture
def client(memory):
    with serve_in_thread(memory.path) as server, PypiClient(server) as client:
        yield client


def space(opened):
    """(all, free) bytes, by FileFsSizeInformation."""
    total, left, sectors, sector = unpack(
        "<QQII", query_raw_file_system(opened, FileSystemClass.SIZE)
    )
    return total * sectors * sector, left * sectors * sector


def fill(memory):
    """Leave no block."""
    with (memory.path / "filler").open("wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(bytes(MIB))
    assert os.statvfs(memory.path).f_bavail == 0


def test_a_client_is_told_the_space_and_what_is_left_of_it(memory, client):
    opened = client.open("f")
    assert space(opened) == (SIZE, SIZE)
    opened.write(bytes(MIB), 0)
    assert space(opened) == (SIZE, SIZE - MIB)
    set_end_of_file(opened, 0)
    assert space(opened) == (SIZE, SIZE)


def test_a_write_beyond_it_is_refused(memory, client):
    opened = client.open("f")
    fill(memory)
    assert refusal(opened.write, b"x", 0) == NtStatus.DISK_FULL
    (memory.path / "filler").unlink()
    assert opened.write(b"x", 0) == 1


def test_an_allocation_beyond_it_is_refused(client):
    opened = client.open("f")
    assert refusal(allocate, opened, SIZE + 1) == NtStatus.DISK_FULL
    assert refusal(allocate, opened, SIZE) == 0
    assert space(opened) == (SIZE, 0)


def test_a_copy_of_the_servers_beyond_it_is_refused(memory, client):
    source, target = client.open("source"), client.open("target")
    source.write(bytes(MIB), 0)
    fill(memory)
    assert copy(source, target, (0, 0, MIB))[0] == NtStatus.DISK_FULL


@pytest.mark.parametrize("length", [100, 100_000])
def test_a_stream_beyond_it_is_refused(memory, client, length):
    client.put("f", b"")
    fill(memory)
    assert refusal(client.put, "f:stream", bytes(length)) == NtStatus.DISK_FULL
    assert client.get("f") == b""


def test_so_many_files_and_no_more(memory, client):
    for number in range(20_000):
        try:
            (memory.path / f"{number:0200}").touch()
        except OSError:
            break
    assert refusal(client.open, "one more") == NtStatus.DISK_FULL


def test_smbclient_is_told_that_the_disk_is_full(memory, tmp_path):
    (tmp_path / "large").write_bytes(bytes(SIZE + 1))
    with serve_in_thread(memory.path) as server, SambaClient(server) as samba:
        with pytest.raises(Exception, match="NT_STATUS_DISK_FULL"):
            samba.run(f"put {tmp_path}/large large")
        samba.run("del large")
        (tmp_path / "large").write_bytes(bytes(SIZE // 2))
        samba.run(f"put {tmp_path}/large large")


def test_it_is_gone_when_it_is_closed(memory):
    path = memory.path
    (path / "f").write_text("x")
    memory.close()
    assert not path.exists()
    memory.close()


def test_two_do_not_know_of_each_other():
    with memory_or_skip(SIZE) as one, memory_or_skip(SIZE) as two:
        with serve_in_thread(one.path) as first, serve_in_thread(two.path) as second:
            with PypiClient(first) as client:
                client.put("a", b"1")
            with PypiClient(second) as client:
                client.put("a", b"2")
                client.call("rename", "a", client.path("b"))
        assert ((one.path / "a").read_bytes(), (two.path / "b").read_bytes()) == (b"1", b"2")


def test_without_a_limit_there_is_the_machines(tmp_path):
    with MemoryFolder() as memory:
        (memory.path / "f").write_bytes(bytes(SIZE * 2))
    assert not memory.path.exists()


def test_one_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="must be 65536 at least"):
        MemoryFolder(1)


_UNPRIVILEGED = """
import os, threading
from smbd.content.memory import MemoryFolder
threading.Thread(target=lambda: None).start()
with MemoryFolder(1 << 20) as memory:
    try:
        (memory.path / "f").write_bytes(bytes(2 << 20))
    except OSError as error:
        print(error.strerror)
"""
_FORBIDDEN = """
from smbd.content.memory import MemoryFolder
open("/proc/sys/user/max_user_namespaces", "w").write("0")
with MemoryFolder() as memory:
    (memory.path / "f").write_bytes(bytes(2 << 20))
    print(memory.path.parent)
print(memory.path.exists())
try:
    MemoryFolder(1 << 20)
except OSError as error:
    print(error)
"""


def without_privilege(program, *command):
    setpriv = shutil.which("setpriv")
    if setpriv is None or os.geteuid() != 0:
        pytest.skip("only root can do without, and needs setpriv")
    command = [setpriv, "--bounding-set=-sys_admin", *command, sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    if "unshare" in done.stderr:
        pytest.skip(done.stderr)
    assert not done.stderr
    return done.stdout


def test_it_takes_no_root():
    assert without_privilege(_UNPRIVILEGED) == "No space left on device\n"


def test_where_the_system_allows_none_the_limit_is_refused_and_the_folder_is_not():
    unshare = shutil.which("unshare") or pytest.skip("there is no unshare")
    shown = without_privilege(_FORBIDDEN, unshare, "--user", "--map-root-user").splitlines()
    assert shown[:2] == ["/dev/shm", "False"]
    assert "needs a tmpfs of its own, and the system allows none" in shown[2]
