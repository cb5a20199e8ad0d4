"""Named streams ([MS-FSCC] 2.1.5, [MS-FSA] 2.1.5.1): data beside a file's data, by FILE:STREAM."""

import os
import time
from struct import unpack_from

import pytest
import trio

from smbd.ntstatus import NtStatus
from smbd.server.sweeping import sweep_stores
from smbd.testing import serve, serve_in_thread
from smbd.wire.access import Access
from smbd.wire.create import CreateDisposition, CreateOptions
from tests.server.clients import PypiClient, refusal
from tests.server.clients.information import query_raw, rename

MARK = b"[ZoneTransfer]\r\nZoneId=3\r\n"
ON_DISK = "user.DosStream.Zone.Identifier:$DATA"
STORE = ".smbd-streams"
LARGE = bytes(range(256)) * 6144  # 1.5 MiB, as Finder's resource forks may be
READ_ONLY, WHOLE = Access.FILE_READ_DATA, Access.FILE_READ_DATA | Access.FILE_WRITE_DATA
SHARED, SHARED_BUT_DELETE = 7, 3
NORMAL, STREAM, ALL = 0x80, 22, 18


@pytest.fixture(autouse=True)
def _attributes(folder):
    try:
        os.setxattr(folder, "user.probe", b"")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error.strerror}")


def put(client, name, data):
    opened = client.open(name, disposition=CreateDisposition.OVERWRITE_IF, attributes=NORMAL)
    for at in range(0, len(data), 65536):
        opened.write(data[at : at + 65536], at)
    opened.close()


def get(client, name):
    opened = client.open(name, access=READ_ONLY, disposition=CreateDisposition.OPEN)
    size = opened.end_of_file
    data = b"".join(opened.read(at, min(65536, size - at)) for at in range(0, size, 65536))
    opened.close()
    return data


def streams(client, name, *, options=0):
    """The streams of a file and their sizes, as FileStreamInformation tells."""
    opened = client.open(
        name,
        access=Access.FILE_READ_ATTRIBUTES,
        disposition=CreateDisposition.OPEN,
        options=options,
    )
    found, at, data = {}, 0, query_raw(opened, STREAM)
    while data:
        step, length, size = unpack_from("<IIQ", data, at)
        found[data[at + 24 : at + 24 + length].decode("utf-16-le")] = size
        at += step
        if not step:
            break
    opened.close()
    return found


def in_store(folder):
    store = folder / STORE
    return sorted(store.iterdir()) if store.exists() else []


def test_a_small_stream_is_an_attribute_as_samba_keeps_it(folder, pypi):
    pypi.put("letter", b"text")
    put(pypi, "letter:Zone.Identifier", MARK)
    assert os.getxattr(folder / "letter", ON_DISK) == MARK + b"\0"
    assert get(pypi, "letter:zone.identifier:$data") == MARK
    assert get(pypi, "letter::$DATA") == b"text"
    assert streams(pypi, "letter") == {"::$DATA": 4, ":Zone.Identifier:$DATA": len(MARK)}
    assert in_store(folder) == []


def test_a_stream_that_samba_wrote_is_read(folder, pypi):
    (folder / "letter").touch()
    os.setxattr(folder / "letter", "user.DosStream.note:$DATA", b"from elsewhere\0")
    assert get(pypi, "letter:NOTE") == b"from elsewhere"
    assert streams(pypi, "letter") == {"::$DATA": 0, ":note:$DATA": 14}


def test_a_large_stream_is_kept_where_no_client_sees_it(folder, pypi):
    pypi.put("film", b"moov")
    put(pypi, "film:AFP_Resource", LARGE)
    assert get(pypi, "film:AFP_Resource") == LARGE
    assert streams(pypi, "film")[":AFP_Resource:$DATA"] == len(LARGE)
    assert [one.stat().st_size for one in in_store(folder)] == [len(LARGE)]
    assert pypi.names() == {"film"}
    for name in (STORE, STORE.upper(), rf"{STORE}\x"):
        assert refusal(pypi.open, name) == NtStatus.OBJECT_NAME_INVALID


def test_a_stream_grows_over_its_file_and_shrinks_again(folder, pypi):
    put(pypi, "film:fork", b"small")
    put(pypi, "film:fork", LARGE)
    put(pypi, "film:fork", b"small again")
    assert get(pypi, "film:fork") == b"small again"


def test_the_stream_of_a_new_name_makes_its_file(folder, pypi):
    put(pypi, "new:stream", b"content")
    assert (folder / "new").read_bytes() == b""
    assert pypi.names() == {"new"}


def test_a_refused_create_leaves_neither_stream_nor_file(folder, pypi):
    wanted = CreateDisposition.OPEN
    assert refusal(pypi.open, "new:stream", disposition=wanted) == NtStatus.OBJECT_NAME_NOT_FOUND
    (folder / "old").touch()
    assert refusal(pypi.open, "old:stream", disposition=wanted) == NtStatus.OBJECT_NAME_NOT_FOUND
    assert pypi.names() == {"old"}
    assert streams(pypi, "old") == {"::$DATA": 0}
    put(pypi, "old:stream", b"1")
    wanted = CreateDisposition.CREATE
    assert refusal(pypi.open, "old:STREAM", disposition=wanted) == NtStatus.OBJECT_NAME_COLLISION


@pytest.mark.parametrize(
    ("engine", "options"), [("nowait", {}), ("threads", {}), ("libaio", {"direct": 1})]
)
def test_all_opens_of_a_stream_see_what_one_writes(folder, engine, options):
    with (
        serve_in_thread(folder, engine=engine, engine_options=options) as server,
        PypiClient(server) as client,
        PypiClient(server) as other,
    ):
        put(client, "letter:note", b"first")
        reader = other.open("letter:NOTE", access=READ_ONLY)
        assert reader.read(0, 100) == b"first"
        writer = client.open("letter:note")
        writer.write(b"second", 0)
        assert reader.read(0, 100) == b"second"
        writer.write(LARGE[:65536], 65536)
        writer.close()
        assert reader.read(65536, 65536) == LARGE[:65536]
        reader.close()


def test_flush_puts_the_content_where_a_kill_leaves_it(folder, pypi):
    opened = pypi.open("letter:Zone.Identifier")
    opened.write(MARK, 0)
    opened.flush()
    assert os.getxattr(folder / "letter", ON_DISK) == MARK + b"\0"
    opened.close()


@pytest.mark.parametrize("content", [MARK, LARGE[:65536]])
def test_what_is_open_when_the_server_ends_is_put_back(folder, content):
    with serve_in_thread(folder) as server:
        client = PypiClient(server)
        client.open("letter:note").write(content, 0)
    client.connection.disconnect(close=False)
    with serve_in_thread(folder) as server, PypiClient(server) as client:
        assert get(client, "letter:note") == content


def test_a_client_that_hangs_up_has_its_content_put_back(folder, server, pypi):
    client = PypiClient(server)
    client.open("letter:Zone.Identifier").write(MARK, 0)
    client.connection.disconnect(close=False)
    deadline = time.monotonic() + 240
    while os.getxattr(folder / "letter", ON_DISK) != MARK + b"\0":
        assert time.monotonic() < deadline
        pypi.connection.echo(pypi.session.session_id)


def test_a_directory_has_streams_but_no_data(folder, pypi):
    (folder / "directory").mkdir()
    put(pypi, "directory:note", b"of it")
    assert get(pypi, "directory:note") == b"of it"
    assert streams(pypi, "directory", options=CreateOptions.DIRECTORY_FILE) == {":note:$DATA": 5}
    assert refusal(pypi.open, "directory::$DATA") == NtStatus.FILE_IS_A_DIRECTORY
    wanted = CreateOptions.DIRECTORY_FILE
    assert refusal(pypi.open, "directory:note", options=wanted) == NtStatus.NOT_A_DIRECTORY
    put(pypi, ":of the root", b"of the share")
    assert get(pypi, ":of the root") == b"of the share"


@pytest.mark.parametrize(
    "name", ["a:", "a::", "a:b:c", "a:b:$INDEX_ALLOCATION", "a:b:$DATA:", "a:b/c"]
)
def test_what_is_no_stream_is_refused(folder, pypi, name):
    assert refusal(pypi.open, name) == NtStatus.OBJECT_NAME_INVALID
    assert list(folder.iterdir()) == []


def test_a_name_that_no_attribute_can_have_is_refused(pypi):
    put(pypi, "a:" + "s" * 234, b"1")
    assert refusal(pypi.open, "a:" + "s" * 235) == NtStatus.OBJECT_NAME_INVALID


def test_what_is_known_of_a_stream_is_its_files_less_the_size(folder, pypi):
    pypi.put("letter", b"text")
    put(pypi, "letter:note", b"a note")
    of_file = pypi.open("letter", disposition=CreateDisposition.OPEN)
    of_stream = pypi.open("letter:note", disposition=CreateDisposition.OPEN)
    file, stream = query_raw(of_file, ALL), query_raw(of_stream, ALL)
    times_and_attributes = slice(0, 40)
    assert stream[times_and_attributes] == file[times_and_attributes]
    assert unpack_from("<Q", file, 48) == (4,)
    assert unpack_from("<Q", stream, 48) == (6,)
    assert stream[64:72] == file[64:72]  # the index number
    assert stream[100:].decode("utf-16-le").endswith("letter:note")
    of_file.close()
    of_stream.close()


def test_share_modes_are_each_streams_own(pypi, other):
    put(pypi, "letter:one", b"1")
    alone = pypi.open("letter:one", access=WHOLE, sharing=0)
    assert refusal(other.open, "letter:ONE", access=WHOLE) == NtStatus.SHARING_VIOLATION
    other.open("letter:two", access=WHOLE, sharing=0).close()
    other.open("letter", access=WHOLE, sharing=0).close()
    alone.close()


def test_a_file_goes_with_the_last_open_of_its_streams(folder, pypi, other):
    put(pypi, "letter:note", b"a note")
    held = pypi.open("letter:note", access=READ_ONLY, sharing=SHARED_BUT_DELETE)
    assert refusal(other.open, "letter", access=Access.DELETE) == NtStatus.SHARING_VIOLATION
    held.close()
    held = pypi.open("letter:note", access=READ_ONLY, sharing=SHARED)
    other.open("letter", access=Access.DELETE, options=CreateOptions.DELETE_ON_CLOSE).close()
    assert held.read(0, 10) == b"a note"
    for name in ("letter", "letter:note", "letter:other"):
        assert refusal(other.open, name) == NtStatus.DELETE_PENDING
    assert (folder / "letter").exists()
    held.close()
    assert not (folder / "letter").exists()


def test_a_stream_is_deleted_alone(folder, pypi):
    pypi.put("letter", b"text")
    put(pypi, "letter:note", b"a note")
    put(pypi, "letter:fork", LARGE)
    for name in ("letter:note", "letter:fork"):
        pypi.open(name, options=CreateOptions.DELETE_ON_CLOSE).close()
        assert refusal(pypi.open, name, disposition=1) == NtStatus.OBJECT_NAME_NOT_FOUND
    assert streams(pypi, "letter") == {"::$DATA": 4}
    assert pypi.get("letter") == b"text"


def test_what_is_written_to_a_deleted_stream_does_not_bring_it_back(pypi, other):
    put(pypi, "letter:note", b"a note")
    held = pypi.open("letter:note")
    other.open("letter:note", options=CreateOptions.DELETE_ON_CLOSE).close()
    held.write(b"more", 0)
    held.close()
    assert streams(pypi, "letter") == {"::$DATA": 0}


@pytest.mark.parametrize("disposition", [CreateDisposition.OVERWRITE, CreateDisposition.SUPERSEDE])
def test_who_overwrites_a_file_removes_its_streams(pypi, other, disposition):
    put(pypi, "letter:note", b"a note")
    held = other.open("letter:note")
    refused = refusal(pypi.open, "letter", disposition=disposition, attributes=NORMAL)
    assert refused == NtStatus.SHARING_VIOLATION
    held.close()
    pypi.open("letter", disposition=disposition, attributes=NORMAL).close()
    assert streams(pypi, "letter") == {"::$DATA": 0}


def test_who_overwrites_a_stream_leaves_the_file_and_its_other_streams(pypi):
    pypi.put("letter", b"text")
    put(pypi, "letter:one", b"1")
    put(pypi, "letter:two", b"22")
    put(pypi, "letter:one", b"")
    assert streams(pypi, "letter") == {"::$DATA": 4, ":one:$DATA": 0, ":two:$DATA": 2}


@pytest.mark.parametrize("content", [b"small", LARGE])
def test_a_stream_gets_another_name(pypi, content):
    put(pypi, "letter:one", content)
    put(pypi, "letter:taken", b"taken")
    put(pypi, "letter:empty", b"")
    opened = pypi.open("letter:one")
    assert refusal(rename, opened, ":taken:$DATA") == NtStatus.OBJECT_NAME_COLLISION
    assert refusal(rename, opened, ":taken", replace=True) == NtStatus.INVALID_PARAMETER
    assert refusal(rename, opened, ":x:$OTHER") == NtStatus.OBJECT_TYPE_MISMATCH
    assert refusal(rename, opened, "letter:x") == NtStatus.SHARING_VIOLATION
    rename(opened, ":Empty", replace=True)
    opened.write(b"!", 0)
    assert refusal(pypi.open, "letter:EMPTY", sharing=0) == NtStatus.SHARING_VIOLATION
    opened.close()
    assert get(pypi, "letter:empty") == b"!" + content[1:]
    assert set(streams(pypi, "letter")) == {"::$DATA", ":taken:$DATA", ":Empty:$DATA"}


@pytest.mark.parametrize("content", [b"small", LARGE])
def test_a_stream_becomes_the_data_of_its_empty_file(folder, pypi, other, content):
    put(pypi, "letter:one", content)
    opened = pypi.open("letter:one")
    assert refusal(rename, opened, "::$DATA") == NtStatus.OBJECT_NAME_COLLISION
    held = other.open("letter")
    assert refusal(rename, opened, "::$DATA", replace=True) == NtStatus.SHARING_VIOLATION
    held.close()
    rename(opened, "::$DATA", replace=True)
    assert opened.read(0, 65536) == content[:65536]
    opened.write(b"!", 0)
    assert refusal(other.open, "letter", sharing=0) == NtStatus.SHARING_VIOLATION
    opened.close()
    assert (folder / "letter").read_bytes() == b"!" + content[1:]
    assert streams(pypi, "letter") == {"::$DATA": len(content)}


def test_data_is_not_replaced_by_a_stream(folder, pypi):
    pypi.put("letter", b"text")
    put(pypi, "letter:one", b"1")
    opened = pypi.open("letter:one")
    assert refusal(rename, opened, "::$DATA", replace=True) == NtStatus.INVALID_PARAMETER
    opened.close()
    assert (folder / "letter").read_bytes() == b"text"
    assert get(pypi, "letter:one") == b"1"


def test_a_file_of_which_a_stream_is_open_keeps_its_name(pypi, other):
    put(pypi, "letter:note", b"a note")
    held = other.open("letter:note")
    opened = pypi.open("letter")
    assert refusal(rename, opened, "moved") == NtStatus.ACCESS_DENIED
    held.close()
    rename(opened, "moved")
    opened.close()
    assert get(pypi, "moved:note") == b"a note"


def test_a_large_stream_goes_where_its_file_is_moved(folder, pypi):
    put(pypi, "film:fork", LARGE)
    (folder / "deep").mkdir()
    (folder / "film").rename(folder / "deep" / "clip")
    assert get(pypi, r"deep\clip:fork") == LARGE


def test_a_copied_file_has_a_large_stream_of_its_own(folder, pypi):
    put(pypi, "film:fork", LARGE)
    (folder / "copy").touch()
    for name in os.listxattr(folder / "film"):
        os.setxattr(folder / "copy", name, os.getxattr(folder / "film", name))
    opened = pypi.open("copy:fork")
    opened.write(b"changed", 0)
    opened.close()
    assert get(pypi, "film:fork") == LARGE
    assert get(pypi, "copy:fork") == b"changed" + LARGE[7:]
    assert len(in_store(folder)) == 2


async def test_the_status_names_the_stream_that_is_open(folder):
    async with serve(folder) as server:

        def work():
            with PypiClient(server) as client:
                opened = client.open("letter:note")
                trio.from_thread.run_sync(look)
                opened.close()

        def look():
            (shown,) = server.server.document()["opens"]
            assert shown["path"] == "letter:note"

        await trio.to_thread.run_sync(work)


async def test_the_server_sweeps_what_is_left_of_removed_files(folder):
    async with serve(folder) as server:

        def work():
            with PypiClient(server) as client:
                for name in ("stays", "goes"):
                    put(client, f"{name}:fork", LARGE)
                client.remove("goes")

        await trio.to_thread.run_sync(work)
        assert len(in_store(folder)) == 2
        shares = list(server.server.service.shares.values())
        await sweep_stores(shares, shares)
        assert len(in_store(folder)) == 2, "they may be waiting for their reference"
        await sweep_stores(shares, shares, grace=0.0)
        assert len(in_store(folder)) == 1


def test_a_readonly_file_keeps_its_streams_as_they_are(folder, pypi):
    put(pypi, "letter:note", b"a note")
    (folder / "letter").chmod(0o444)
    assert get(pypi, "letter:note") == b"a note"
    assert refusal(pypi.open, "letter:note") == NtStatus.ACCESS_DENIED
    assert refusal(pypi.open, "letter:new", access=READ_ONLY) == NtStatus.ACCESS_DENIED


def test_a_share_without_streams_knows_no_colon(folder):
    with serve_in_thread(folder, streams=False) as server, PypiClient(server) as client:
        client.put("letter", b"text")
        for name in ("letter:note", "letter:note:$DATA", "letter::$DATA"):
            assert refusal(client.open, name) == NtStatus.OBJECT_NAME_INVALID
        assert streams(client, "letter") == {"::$DATA": 4}


def test_a_read_only_share_shows_streams_and_changes_none(folder):
    (folder / "letter").touch()
    os.setxattr(folder / "letter", ON_DISK, MARK + b"\0")
    with serve_in_thread(folder, read_only=True) as server, PypiClient(server) as client:
        assert get(client, "letter:Zone.Identifier") == MARK
        refused = refusal(client.open, "letter:new", access=READ_ONLY)
        assert refused == NtStatus.ACCESS_DENIED
    assert list(folder.iterdir()) == [folder / "letter"]


def test_smbprotocol_writes_reads_and_lists_streams(pypi):
    pypi.put("letter", b"default")
    pypi.put("letter:ads", b"stream")
    assert (pypi.get("letter"), pypi.get("letter:ads")) == (b"default", b"stream")
    listed = sorted(stream.name for stream in pypi.call("liststreams", "letter"))
    assert listed == ["::$DATA", ":ads:$DATA"]
    pypi.remove("letter:ads")
    assert [stream.name for stream in pypi.call("liststreams", "letter")] == ["::$DATA"]
    assert pypi.get("letter") == b"default"


def test_smbclient_lists_and_gets_streams(folder, samba, pypi):
    put(pypi, "letter:Zone.Identifier", MARK)
    put(pypi, "letter:fork", LARGE)
    assert ":Zone.Identifier:$DATA" in samba.run("allinfo letter")
    assert samba.get("letter:Zone.Identifier") == MARK
    assert samba.get("letter:fork") == LARGE
