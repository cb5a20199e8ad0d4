"""What Windows 11 24H2 sends, frame by frame, and the statuses that it expects.

No Windows has run these: they follow [MS-SMB2] section 4, [MS-SRVS] and what is publicly known of
Explorer's and Notepad's requests.  A status that is wrong here shows there as a missing menu, a
failed save or a drive that does not open.
"""

from struct import pack, unpack_from

import pytest
from impacket.dcerpc.v5 import srvs, wkst

from smbd.ntstatus import NtStatus
from smbd.testing import serve
from tests.core import messages
from tests.core.messages import (
    ASYNC,
    CANCEL,
    CHANGE_NOTIFY,
    CLOSE,
    CREATE,
    DELETE,
    DELETE_ON_CLOSE,
    ECHO,
    EVERYTHING,
    FLUSH,
    IOCTL,
    LOGOFF,
    PREVIOUS_FILE,
    QUERY_DIRECTORY,
    QUERY_INFO,
    READ,
    SET_INFO,
    SIGNED,
    TREE_DISCONNECT,
    WRITE,
)
from tests.scripted import PENDING, WINDOWS, caching, connected, frames
from tests.scripted.frames import FILE, FILE_SYSTEM, MAXIMAL_ACCESS, ON_DISK_ID, SECURITY
from tests.server.pipes import ask_pipe

GCM_128, GMAC = 2, 2
CLOSE_PREVIOUS = (CLOSE, messages.close(PREVIOUS_FILE))
CLOSE_AND_TELL = (CLOSE, messages.close(PREVIOUS_FILE, flags=1))
# What Explorer puts on every CREATE of something that it opens to look into.
ALL_CONTEXTS = (
    caching.durable_v2(b"create guid here"),
    MAXIMAL_ACCESS,
    ON_DISK_ID,
    caching.ANY_LEASE,
)


@pytest.fixture
async def server(folder):
    """As it comes: signing required, nothing sealed."""
    (folder / "Documents").mkdir()
    (folder / "letter.txt").write_bytes(b"Dear Windows,\r\n")
    async with serve(folder, share="Share") as server:
        yield server


@pytest.fixture
async def client(server):
    """A drive letter."""
    async with connected(server, WINDOWS) as client:
        await client.connect("Share")
        yield client


def statuses(answers):
    return [one.status for one in answers]


# --- coming in ---


@pytest.mark.parametrize("multi_protocol", [False, True])
async def test_net_use(server, multi_protocol):
    """Negotiate, NTLM in SPNEGO with both mechListMICs, IPC$, the share: all signed by GMAC."""
    async with connected(server, WINDOWS) as client:
        if multi_protocol:
            await client.send(frames.smb1_negotiate("NT LM 0.12", "SMB 2.002", "SMB 2.???"))
            assert unpack_from("<H", (await client.answer()).raw, 68)[0] == 0x02FF
        await client.negotiate(message_id=int(multi_protocol))
        assert (client.peer.dialect, client.peer.cipher_id, client.peer.signing) == (
            0x0311,
            GCM_128,
            GMAC,
        )
        assert (await client.log_in()).status == 0
        for share in ("IPC$", "Share", "SHARE"):
            answer = await client.enter(share)
            assert answer.status == 0
            assert answer.flags & SIGNED
        assert unpack_from("<I", answer.raw, 76)[0] == EVERYTHING  # MaximalAccess
        assert (await client.enter("nowhere")).status == NtStatus.BAD_NETWORK_NAME


async def test_what_it_asks_of_ipc_before_anything_else(server):
    async with connected(server, WINDOWS) as client:
        await client.connect("IPC$")
        body = frames.ioctl(frames.QUERY_NETWORK_INTERFACE_INFO)
        assert (await client.ask(IOCTL, body)).status == NtStatus.NOT_SUPPORTED
        referral = pack("<H", 4) + r"\box\Share".encode("utf-16-le") + b"\0\0"
        body = frames.ioctl(frames.DFS_GET_REFERRALS, data=referral)
        assert (await client.ask(IOCTL, body)).status == NtStatus.FS_DRIVER_REQUIRED


async def test_the_list_of_shares_in_the_network_folder(server):
    async with connected(server, WINDOWS) as client:
        await client.connect("IPC$")
        request = srvs.NetrShareEnum()
        request["ServerName"] = "\\\\box\0"
        request["PreferedMaximumLength"] = 0xFFFFFFFF
        request["ResumeHandle"] = srvs.NULL
        request["InfoStruct"]["Level"] = 1
        request["InfoStruct"]["ShareInfo"]["tag"] = 1
        request["InfoStruct"]["ShareInfo"]["Level1"]["Buffer"] = srvs.NULL
        answer = await ask_pipe(client, "srvsvc", srvs.MSRPC_UUID_SRVS, request)
        told = srvs.NetrShareEnumResponse(answer)
        names = [
            one["shi1_netname"][:-1] for one in told["InfoStruct"]["ShareInfo"]["Level1"]["Buffer"]
        ]
        assert told["ErrorCode"] == 0
        assert names == ["Share", "IPC$"]


@pytest.mark.parametrize("level", [1, 2, 501])
async def test_what_kind_of_share_it_is(server, level):
    async with connected(server, WINDOWS) as client:
        await client.connect("IPC$")
        request = srvs.NetrShareGetInfo()
        request["ServerName"] = "\\\\box\0"
        request["NetName"] = "Share\0"
        request["Level"] = level
        answer = await ask_pipe(client, "srvsvc", srvs.MSRPC_UUID_SRVS, request)
        assert answer[-4:] in {bytes(4), pack("<I", 5)}  # level 2 is for administrators
        if level != 2:
            assert "Share\0".encode("utf-16-le") in answer
            assert answer[-4:] == bytes(4)


async def test_who_the_server_is(server):
    async with connected(server, WINDOWS) as client:
        await client.connect("IPC$")
        request = srvs.NetrServerGetInfo()
        request["ServerName"] = "\\\\box\0"
        request["Level"] = 101
        answer = await ask_pipe(client, "srvsvc", srvs.MSRPC_UUID_SRVS, request)
        assert answer[-4:] == bytes(4)
        request = wkst.NetrWkstaGetInfo()
        request["ServerName"] = "\\\\box\0"
        request["Level"] = 100
        answer = await ask_pipe(client, "wkssvc", wkst.MSRPC_UUID_WKST, request)
        assert answer[-4:] == bytes(4)


# --- Explorer looks into a folder ---


async def test_the_root_with_all_its_contexts(client):
    """Durable handles are not answered, which says that there are none."""
    answer = await client.ask(CREATE, frames.create("", ALL_CONTEXTS, oplock=caching.BY_LEASE))
    assert answer.status == 0
    assert answer.oplock == caching.BY_LEASE
    assert caching.granted_lease(answer).state == caching.R | caching.H
    told = answer.contexts
    assert set(told) == {b"MxAc", b"QFid", b"RqLs"}
    assert unpack_from("<II", told[b"MxAc"]) == (0, EVERYTHING)
    assert len(told[b"QFid"]) == 32


async def test_the_volume_in_one_compound(client):
    answers = await client.ask_related(
        (CREATE, frames.create("", (MAXIMAL_ACCESS, ON_DISK_ID))),
        (QUERY_INFO, frames.query(FILE_SYSTEM, frames.FS_VOLUME)),
        (QUERY_INFO, frames.query(FILE_SYSTEM, frames.FS_ATTRIBUTE)),
        (QUERY_INFO, frames.query(FILE_SYSTEM, frames.FS_FULL_SIZE)),
        (QUERY_INFO, frames.query(FILE_SYSTEM, frames.FS_SIZE)),
        (QUERY_INFO, frames.query(FILE_SYSTEM, frames.FS_DEVICE)),
        (QUERY_INFO, frames.query(FILE_SYSTEM, frames.FS_SECTOR_SIZE)),
        CLOSE_PREVIOUS,
    )
    assert statuses(answers) == [0] * 8
    assert all(one.flags & SIGNED for one in answers)
    attributes, longest, length = unpack_from("<III", answers[2].output)
    assert attributes & 0x2
    assert attributes & 0x4
    assert longest == 255
    name = answers[2].output[12 : 12 + length].decode("utf-16-le")
    assert name == "NTFS"  # programs look for it before they believe in long names
    units, free, available, sectors, size = unpack_from("<QQQII", answers[3].output)
    assert units >= available >= 0
    assert free >= 0
    assert sectors * size >= 512


async def test_small_buffers_are_filled_and_told_so(client):
    """GetVolumeInformation asks with what it has: the rest of the name is not wanted."""
    answers = await client.ask_related(
        (CREATE, frames.create("")),
        (QUERY_INFO, frames.query(FILE_SYSTEM, frames.FS_ATTRIBUTE, most=16)),
        (QUERY_INFO, frames.query(FILE_SYSTEM, frames.FS_VOLUME, most=24)),
        (QUERY_INFO, frames.query(FILE_SYSTEM, frames.FS_ATTRIBUTE, most=4)),
        CLOSE_PREVIOUS,
    )
    assert answers[1].status == NtStatus.BUFFER_OVERFLOW
    assert len(answers[1].output) == 16
    assert answers[2].status in {0, NtStatus.BUFFER_OVERFLOW}
    assert answers[3].status == NtStatus.INFO_LENGTH_MISMATCH


async def test_a_listing_by_two_queries_in_one_frame(client):
    access = frames.READ_ATTRIBUTES
    answers = await client.ask_related(
        (CREATE, frames.create("", ALL_CONTEXTS, access=access, options=frames.DIRECTORY_FILE)),
        (QUERY_DIRECTORY, frames.listing("*")),
        (QUERY_DIRECTORY, frames.listing("*")),
    )
    assert statuses(answers) == [0, 0, NtStatus.NO_MORE_FILES]
    assert set(frames.listed(answers[1])) == {".", "..", "Documents", "letter.txt"}
    body = messages.close(answers[0].file_id)
    assert (await client.ask(CLOSE, body)).status == 0


@pytest.mark.parametrize("name", ["desktop.ini", r"Documents\desktop.ini", "AutoRun.inf"])
async def test_the_little_files_that_it_looks_for_are_not_there(client, name):
    answers = await client.ask_related(
        (CREATE, frames.create(name, (MAXIMAL_ACCESS, ON_DISK_ID))),
        (QUERY_INFO, frames.query(FILE, frames.NETWORK_OPEN)),
        CLOSE_PREVIOUS,
    )
    assert statuses(answers) == [NtStatus.OBJECT_NAME_NOT_FOUND] * 3


async def test_in_a_folder_that_is_not_there_it_is_the_path_that_is_not(client):
    answer = await client.ask(CREATE, frames.create(r"Pictures\desktop.ini"))
    assert answer.status == NtStatus.OBJECT_PATH_NOT_FOUND


async def test_one_name_looked_up_by_a_listing(client):
    answers = await client.ask_related(
        (CREATE, frames.create("")),
        (QUERY_DIRECTORY, frames.listing("LETTER.TXT", flags=2)),
        (QUERY_DIRECTORY, frames.listing("nobody.txt", flags=1)),
        CLOSE_PREVIOUS,
    )
    assert answers[1].status == 0
    assert frames.listed(answers[1]) == ["letter.txt"]
    assert answers[2].status == NtStatus.NO_SUCH_FILE


async def test_it_waits_for_changes_and_stops_waiting(client):
    root = (await client.ask(CREATE, frames.create("", options=frames.DIRECTORY_FILE))).file_id
    await client.send(client.peer.request(CHANGE_NOTIFY, frames.change_notify(root)))
    (interim,) = await client.answers()
    assert interim.status == PENDING
    assert interim.async_id
    await client.send(
        client.peer.request(
            CANCEL, flags=ASYNC, async_id=interim.async_id, message_id=interim.message_id
        )
    )
    (final,) = await client.answers()
    assert final.status == NtStatus.CANCELLED
    assert final.async_id == interim.async_id
    assert final.flags & SIGNED


async def test_it_sees_a_change_that_it_makes_itself(client):
    root = (await client.ask(CREATE, frames.create("", options=frames.DIRECTORY_FILE))).file_id
    await client.send(client.peer.request(CHANGE_NOTIFY, frames.change_notify(root)))
    (interim,) = await client.answers()
    assert interim.status == PENDING
    body = frames.create("New folder", disposition=2, options=frames.DIRECTORY_FILE)
    await client.send(client.peer.request(CREATE, body))
    late = {}
    while len(late) < 2:
        (one,) = await client.answers()
        if one.status != PENDING:
            late[one.command] = one
    assert late[CREATE].status == late[CHANGE_NOTIFY].status == 0
    assert "New folder".encode("utf-16-le") in late[CHANGE_NOTIFY].output


# --- properties of a file ---


async def test_the_properties_dialog(client):
    opened = await client.ask(
        CREATE,
        frames.create("letter.txt", ALL_CONTEXTS, access=0x00120089, oplock=caching.BY_LEASE),
    )
    assert opened.status == 0
    asked = {
        frames.NETWORK_OPEN: 0,
        frames.ALL: 0,
        frames.BASIC: 0,
        frames.STANDARD: 0,
        frames.INTERNAL: 0,
        frames.EA: 0,
        frames.STREAM: 0,
        frames.NORMALIZED_NAME: 0,
    }
    for info_class in asked:
        body = frames.query(FILE, info_class, opened.file_id)
        asked[info_class] = await client.ask(QUERY_INFO, body)
    assert {number: one.status for number, one in asked.items()} == dict.fromkeys(asked, 0)
    normalized = asked[frames.NORMALIZED_NAME].output
    assert normalized[4:].decode("utf-16-le") == "letter.txt"
    assert "::$DATA".encode("utf-16-le") in asked[frames.STREAM].output


async def test_file_all_information_into_too_small_a_buffer(client):
    answers = await client.ask_related(
        (CREATE, frames.create("letter.txt")),
        (QUERY_INFO, frames.query(FILE, frames.ALL, most=104)),
        CLOSE_PREVIOUS,
    )
    assert statuses(answers) == [0, NtStatus.BUFFER_OVERFLOW, 0]


async def test_the_security_page(client):
    opened = await client.ask(CREATE, frames.create("letter.txt", access=0x00120080))
    body = frames.query(SECURITY, 0, opened.file_id, what=frames.OWNER_GROUP_DACL, most=0)
    assert (await client.ask(QUERY_INFO, body)).status == NtStatus.BUFFER_TOO_SMALL
    body = frames.query(SECURITY, 0, opened.file_id, what=frames.OWNER_GROUP_DACL)
    answer = await client.ask(QUERY_INFO, body)
    assert answer.status == 0
    revision, _, control, owner, group, _, dacl = unpack_from("<BBHIIII", answer.output)
    assert revision == 1
    assert control & 0x8004 == 0x8004  # self-relative, with a DACL
    assert owner
    assert group
    assert dacl


async def test_previous_versions_there_are_none(client):
    opened = await client.ask(CREATE, frames.create(""))
    body = frames.ioctl(frames.ENUMERATE_SNAPSHOTS, opened.file_id, most=16)
    answer = await client.ask(IOCTL, body)
    assert answer.status == 0
    assert unpack_from("<III", answer.ioctl_output)[:2] == (0, 0)


async def test_a_shortcut_wants_an_object_id(client):
    opened = await client.ask(CREATE, frames.create("letter.txt"))
    body = frames.ioctl(frames.CREATE_OR_GET_OBJECT_ID, opened.file_id, most=64)
    answer = await client.ask(IOCTL, body)
    assert answer.status == 0
    assert len(answer.ioctl_output) == 64


# --- Notepad, Explorer's menus ---


async def test_a_new_file_is_written_saved_and_read_back(client, folder):
    body = frames.create(
        "note.txt", ALL_CONTEXTS, access=0x0012019F, disposition=5, attributes=0x80,
        oplock=caching.BY_LEASE, options=0x60,
    )  # fmt: skip
    opened = await client.ask(CREATE, body)
    assert opened.status == 0
    file_id = opened.file_id
    body = messages.set_info(file_id, 20, pack("<Q", 11))  # FileEndOfFileInformation
    assert (await client.ask(SET_INFO, body)).status == 0
    assert (await client.ask(WRITE, messages.write(file_id, b"hello again"))).status == 0
    assert (await client.ask(FLUSH, messages.flush(file_id))).status == 0
    read = await client.ask(READ, messages.read(file_id, length=4096))
    assert read.data == b"hello again"
    at_end = await client.ask(READ, messages.read(file_id, offset=11, length=4096))
    assert at_end.status == NtStatus.END_OF_FILE
    times = pack("<QQQQI4x", 0, 0, 133_000_000_000_000_000, 0, 0x20)
    assert (await client.ask(SET_INFO, messages.set_info(file_id, 4, times))).status == 0
    closed = await client.ask(CLOSE, messages.close(file_id, flags=1))
    assert closed.status == 0
    assert unpack_from("<Q", closed.raw, 64 + 48)[0] == 11  # EndOfFile
    assert (folder / "note.txt").read_bytes() == b"hello again"


async def test_a_new_folder_is_named_renamed_and_thrown_away(client, folder):
    body = frames.create(
        "New folder", (MAXIMAL_ACCESS, ON_DISK_ID), access=0x00100081, disposition=2,
        options=0x00200021, attributes=0x10,
    )  # fmt: skip
    assert statuses(await client.ask_related((CREATE, body), CLOSE_AND_TELL)) == [0, 0]
    again = await client.ask(CREATE, body)
    assert again.status == NtStatus.OBJECT_NAME_COLLISION
    access = DELETE | 0x00100080
    answers = await client.ask_related(
        (CREATE, frames.create("New folder", access=access, options=0x00200000)),
        (SET_INFO, messages.set_info(PREVIOUS_FILE, frames.RENAME, frames.rename("Reports"))),
        CLOSE_AND_TELL,
    )
    assert statuses(answers) == [0, 0, 0]
    assert (folder / "Reports").is_dir()
    answers = await client.ask_related(
        (CREATE, frames.create("Reports", access=access, options=0x00200000)),
        (SET_INFO, messages.set_info(PREVIOUS_FILE, frames.DISPOSITION, b"\1")),
        CLOSE_AND_TELL,
    )
    assert statuses(answers) == [0, 0, 0]
    assert not (folder / "Reports").exists()


async def test_renaming_onto_what_is_there_asks_first(client):
    await client.ask_related((CREATE, frames.everything("other.txt")), CLOSE_PREVIOUS)
    answers = await client.ask_related(
        (CREATE, frames.create("letter.txt", access=DELETE | 0x00100080)),
        (SET_INFO, messages.set_info(PREVIOUS_FILE, frames.RENAME, frames.rename("other.txt"))),
        CLOSE_PREVIOUS,
    )
    assert statuses(answers) == [0, NtStatus.OBJECT_NAME_COLLISION, 0]


async def test_a_folder_that_is_not_empty_is_not_deleted(client, folder):
    (folder / "Documents" / "thesis").write_bytes(b"")
    answers = await client.ask_related(
        (CREATE, frames.create("Documents", access=DELETE | 0x00100080)),
        (SET_INFO, messages.set_info(PREVIOUS_FILE, frames.DISPOSITION, b"\1")),
        CLOSE_PREVIOUS,
    )
    assert statuses(answers) == [0, NtStatus.DIRECTORY_NOT_EMPTY, 0]


async def test_shift_delete_by_posix_semantics_or_the_old_way(client, folder):
    """Windows 10 and later try FileDispositionInformationEx first, and go on with the old one."""
    opened = await client.ask(CREATE, frames.create("letter.txt", access=DELETE | 0x00100080))
    body = messages.set_info(opened.file_id, frames.DISPOSITION_EX, pack("<I", 3))
    answer = await client.ask(SET_INFO, body)
    if answer.status:
        assert answer.status in {NtStatus.NOT_SUPPORTED, NtStatus.INVALID_INFO_CLASS}
        body = messages.set_info(opened.file_id, frames.DISPOSITION, b"\1")
        assert (await client.ask(SET_INFO, body)).status == 0
    assert (await client.ask(CLOSE, messages.close(opened.file_id))).status == 0
    assert not (folder / "letter.txt").exists()


async def test_a_temporary_file_that_deletes_itself(client, folder):
    body = frames.everything("~$letter.txt", options=DELETE_ON_CLOSE, attributes=0x102)
    assert statuses(await client.ask_related((CREATE, body), CLOSE_PREVIOUS)) == [0, 0]
    assert not (folder / "~$letter.txt").exists()


async def test_what_is_open_elsewhere_without_sharing_is_a_sharing_violation(client):
    opened = await client.ask(CREATE, frames.everything("letter.txt", share=1))
    assert opened.status == 0
    answer = await client.ask(CREATE, frames.everything("letter.txt"))
    assert answer.status == NtStatus.SHARING_VIOLATION


@pytest.mark.parametrize("name", ["a<b", "a>b", 'a"b', "a|b", "a?b", "a*b"])
async def test_names_that_windows_itself_does_not_allow(client, name):
    answer = await client.ask(CREATE, frames.everything(name))
    assert answer.status == NtStatus.OBJECT_NAME_INVALID


async def test_a_mark_of_the_web_is_kept_with_the_download(client):
    mark = b"[ZoneTransfer]\r\nZoneId=3\r\n"
    opened = await client.ask(CREATE, frames.everything("letter.txt:Zone.Identifier:$DATA"))
    assert opened.status == 0
    assert (await client.ask(WRITE, messages.write(opened.file_id, mark))).status == 0
    assert (await client.ask(CLOSE, messages.close(opened.file_id))).status == 0
    again = await client.ask(CREATE, frames.create("letter.txt:Zone.Identifier"))
    assert (await client.ask(READ, messages.read(again.file_id))).raw[80:] == mark


# --- going out ---


async def test_net_use_delete(client):
    assert (await client.ask(TREE_DISCONNECT)).status == 0
    answer = await client.ask(CREATE, frames.create(""))
    assert answer.status == NtStatus.NETWORK_NAME_DELETED
    assert (await client.ask(LOGOFF)).status == 0


async def test_a_keepalive_without_a_session(client):
    answer = await client.ask(ECHO, session_id=0, tree_id=0, signed=False)
    assert answer.status == 0
