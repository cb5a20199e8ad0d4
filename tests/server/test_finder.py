"""What macOS's Finder sends when a share is mounted and looked at, and what it can live with.

No Mac has run these: they follow Apple's published SMB client and other servers' bug reports.
"""

from struct import pack, unpack_from

import pytest

from smbd.ntstatus import NtStatus
from smbd.testing import serve
from tests.core import messages
from tests.core.messages import (
    CHANGE_NOTIFY,
    CLOSE,
    CREATE,
    DELETE,
    ECHO,
    FLUSH,
    IOCTL,
    PREVIOUS_FILE,
    QUERY_DIRECTORY,
    QUERY_INFO,
    READ,
    SET_INFO,
    WRITE,
)
from tests.scripted import WINDOWS, caching, connected, frames
from tests.scripted.frames import FILE, FILE_SYSTEM, MAXIMAL_ACCESS

DIALECTS = (0x0202, 0x0210, 0x0300, 0x0302, 0x0311)
NAMED_STREAMS = 0x00040000
FULL_SYNC = 4
READ_DIR_ATTR, OSX_COPYFILE, UNIX_BASED = 1, 2, 4


def query(capabilities=READ_DIR_ATTR | OSX_COPYFILE | UNIX_BASED, *, about=7):
    """kAAPL_SERVER_QUERY: capabilities of server and volume, and the model."""
    return b"AAPL", pack("<IIQQ", 1, 0, about, capabilities)


AAPL = query()
CLOSE_PREVIOUS = (CLOSE, messages.close(PREVIOUS_FILE))


@pytest.fixture
async def client(folder):
    """A volume on the desktop: macOS offers no compression and names no algorithm to sign with."""
    (folder / "Movies").mkdir()
    (folder / "film.mov").write_bytes(b"moov")
    contexts = (frames.preauth_context(), (frames.ENCRYPTION, frames.counted(2, 1)))
    async with serve(folder) as server, connected(server, WINDOWS) as client:
        await client.connect(contexts=contexts, dialects=DIALECTS)
        yield client


def statuses(answers):
    return [one.status for one in answers]


async def test_the_first_open_of_the_root_asks_what_the_server_has_of_apples(client):
    """Entries with what Finder shows, modes as on Unix, and FLUSHes to the platter; no model."""
    answer = await client.ask(CREATE, frames.create("", (AAPL, MAXIMAL_ACCESS)))
    assert answer.status == 0
    assert set(answer.contexts) == {b"MxAc", b"AAPL"}
    told = pack("<IIQQQ", 1, 0, 3, READ_DIR_ATTR | UNIX_BASED, FULL_SYNC)
    assert answer.contexts[b"AAPL"] == told


async def test_it_is_told_the_same_on_each_connection_or_it_would_not_come_back(folder):
    async with serve(folder) as server:
        for _ in range(2):
            async with connected(server, WINDOWS) as client:
                await client.connect()
                answer = await client.ask(CREATE, frames.create("", (AAPL,)))
                assert answer.contexts[b"AAPL"]


async def test_a_server_query_that_is_cut_off_is_refused(client):
    answer = await client.ask(CREATE, frames.create("", ((b"AAPL", AAPL[1][:20]),)))
    assert answer.status == NtStatus.INVALID_PARAMETER


async def test_a_file_is_not_found_by_its_id_alone(client):
    asked = (b"AAPL", pack("<IIQ", 2, 0, 77))
    answer = await client.ask(CREATE, frames.create("", (asked,)))
    assert answer.status == 0
    assert answer.contexts[b"AAPL"] == pack("<IIII", 2, 0, NtStatus.NOT_SUPPORTED, 0)


async def entries(client, pattern="*", **how):
    """A folder's entries by name: (max access or EaSize, ShortName and around it, mode, FileId)."""
    answers = await client.ask_related(
        (CREATE, frames.create("", access=0x00100081, options=frames.DIRECTORY_FILE)),
        (QUERY_DIRECTORY, frames.listing(pattern, **how)),
        CLOSE_PREVIOUS,
    )
    assert statuses(answers) == [0] * 3
    data, found = answers[1].output, {}
    while data:
        after, length = unpack_from("<I56xI", data)
        found[data[104 : 104 + length].decode("utf-16-le")] = unpack_from("<I26sHQ", data, 64)
        data = data[after:] if after else b""
    return found


async def test_from_then_on_a_listing_says_what_finder_would_ask_about_each_file(client, folder):
    (folder / "film.mov").chmod(0o640)
    (folder / "Movies").chmod(0o750)
    plain = await entries(client)
    await client.ask(CREATE, frames.create("", (AAPL,)))
    found = await entries(client)
    assert set(found) == set(plain) == {".", "..", "Movies", "film.mov"}
    assert {name: entry[0] for name, entry in found.items()} == dict.fromkeys(found, 0x1F01FF)
    assert found["film.mov"][1:3] == (bytes(26), 0o100640)
    assert found["Movies"][1:3] == (bytes(26), 0o040750)
    assert {name: entry[3] for name, entry in found.items()} == {
        name: entry[3] for name, entry in plain.items()
    }


async def test_the_ids_of_a_listing_are_those_of_the_open_files(client, folder):
    await client.ask(CREATE, frames.create("", (AAPL,)))
    listed = await entries(client)
    answers = await client.ask_related(
        (CREATE, frames.create("film.mov", (frames.ON_DISK_ID,))),
        (QUERY_INFO, frames.query(FILE, frames.INTERNAL)),
        CLOSE_PREVIOUS,
    )
    internal = int.from_bytes(answers[1].output, "little")
    on_disk = int.from_bytes(answers[0].contexts[b"QFid"][:8], "little")
    assert listed["film.mov"][3] == internal == on_disk


async def test_what_may_not_be_written_says_so_in_the_listing(folder):
    (folder / "film.mov").write_bytes(b"moov")
    async with serve(folder, read_only=True) as server, connected(server, WINDOWS) as client:
        await client.connect()
        await client.ask(CREATE, frames.create("", (AAPL,)))
        access = (await entries(client))["film.mov"][0]
        assert access & 0x00120089 == 0x00120089  # FILE_GENERIC_READ
        assert not access & 0x00010116  # DELETE, and what of FILE_GENERIC_WRITE is not in reading


async def test_a_dangling_link_is_in_no_listing(client, folder):
    (folder / "alias").symlink_to("film.mov")
    (folder / "lost").symlink_to("nowhere")
    await client.ask(CREATE, frames.create("", (AAPL,)))
    assert set(await entries(client)) == {".", "..", "Movies", "alias", "film.mov"}


@pytest.mark.parametrize("asked", [query(UNIX_BASED), query(about=2), None])
async def test_a_client_that_has_not_asked_for_it_is_listed_to_as_any_other(client, asked):
    await client.ask(CREATE, frames.create("", (asked,) if asked else ()))
    assert (await entries(client))["film.mov"][:3] == (0, bytes(26), 0)


async def test_another_session_is_listed_to_as_it_has_asked(client):
    await client.ask(CREATE, frames.create("", (AAPL,)))
    first = client.session
    await client.log_in()
    await client.enter()
    assert (await entries(client))["film.mov"][0] == 0
    client.peer.session = first
    assert (await entries(client))["film.mov"][0] == 0x1F01FF


async def test_the_servers_messages_that_a_mac_waits_for_are_declined(client):
    """It watches a file of no name for them, and goes on without."""
    body = frames.change_notify(b"\xff" * 16)
    assert (await client.ask(CHANGE_NOTIFY, body)).status == NtStatus.FILE_CLOSED


async def test_time_machine_gets_what_it_asks_for(client):
    """A durable handle of version 2 and a lease, beside the answer of AAPL."""
    wishes = (
        caching.durable_v2(b"create guid here"),
        caching.lease(b"lease key is 16b", caching.R | caching.H | caching.W),
        AAPL,
    )
    body = frames.everything("backup.sparsebundle", contexts=wishes, oplock=caching.BY_LEASE)
    answer = await client.ask(CREATE, body)
    assert answer.status == 0
    assert set(answer.contexts) == {b"AAPL", b"RqLs", b"DH2Q"}


async def test_the_volume_says_that_it_has_streams(client):
    answers = await client.ask_related(
        (CREATE, frames.create("")),
        (QUERY_INFO, frames.query(FILE_SYSTEM, frames.FS_ATTRIBUTE)),
        (QUERY_INFO, frames.query(FILE_SYSTEM, frames.FS_FULL_SIZE)),
        (QUERY_INFO, frames.query(FILE_SYSTEM, frames.FS_VOLUME)),
        (QUERY_INFO, frames.query(FILE_SYSTEM, frames.FS_OBJECT_ID)),
        CLOSE_PREVIOUS,
    )
    assert statuses(answers) == [0] * 6
    assert unpack_from("<I", answers[1].output)[0] & NAMED_STREAMS


async def test_what_finder_knows_of_a_file_goes_into_its_streams(client, folder):
    await client.ask(CREATE, frames.create("", (AAPL,)))
    info = b"AFP\0\0\1\0\0" + bytes(8) + b"MooVTVOD" + bytes(36)
    fork = bytes(range(256)) * 6144  # 1.5 MiB
    for name, content in (("film.mov:AFP_AfpInfo", info), ("film.mov:AFP_Resource:$DATA", fork)):
        opened = await client.ask(CREATE, frames.everything(name))
        assert opened.status == 0
        for at in range(0, len(content), 65536):
            body = messages.write(opened.file_id, content[at : at + 65536], offset=at)
            assert (await client.ask(WRITE, body)).status == 0
        assert (await client.ask(CLOSE, messages.close(opened.file_id))).status == 0
    opened = await client.ask(CREATE, frames.create("film.mov:afp_resource"))
    body = messages.read(opened.file_id, len(fork) - 65536, 65536)
    assert (await client.ask(READ, body)).raw[80:] == fork[-65536:]
    listed = (await entries(client))["film.mov"]
    assert listed[1] == b"\0\0" + pack("<Q", len(fork)) + b"MooVTVOD" + bytes(8)
    assert (folder / "film.mov").read_bytes() == b"moov"


async def test_where_it_keeps_them_in_files_beside_those_are_files(client, folder):
    """AppleDouble: "._film.mov" is a file like any other, and hidden to Finder."""
    opened = await client.ask(CREATE, frames.everything("._film.mov"))
    body = messages.write(opened.file_id, b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    assert (await client.ask(WRITE, body)).status == 0
    assert (await client.ask(CLOSE, messages.close(opened.file_id))).status == 0
    assert (folder / "._film.mov").read_bytes()[:4] == b"\0\5\x16\7"


@pytest.mark.parametrize(
    "name", [".DS_Store", "._.", ".Trashes", ".metadata_never_index", r"Movies\.localized"]
)
async def test_what_it_looks_for_everywhere_is_not_there(client, name):
    answers = await client.ask_related(
        (CREATE, frames.create(name, access=0x00120089)),
        (QUERY_INFO, frames.query(FILE, frames.ALL)),
        CLOSE_PREVIOUS,
    )
    assert statuses(answers) == [NtStatus.OBJECT_NAME_NOT_FOUND] * 3


async def test_a_folder_is_listed_to_its_end(client):
    answers = await client.ask_related(
        (CREATE, frames.create("", access=0x00100081, options=frames.DIRECTORY_FILE)),
        (QUERY_DIRECTORY, frames.listing("*")),
    )
    assert statuses(answers) == [0, 0]
    assert set(frames.listed(answers[1])) == {".", "..", "Movies", "film.mov"}
    file_id = answers[0].file_id
    answer = await client.ask(QUERY_DIRECTORY, frames.listing("*", file_id))
    assert answer.status == NtStatus.NO_MORE_FILES
    assert (await client.ask(CLOSE, messages.close(file_id))).status == 0


async def test_everything_about_a_file_in_one_compound(client):
    answers = await client.ask_related(
        (CREATE, frames.create("film.mov", (MAXIMAL_ACCESS,))),
        (QUERY_INFO, frames.query(FILE, frames.ALL)),
        (QUERY_INFO, frames.query(FILE, frames.STREAM)),
        CLOSE_PREVIOUS,
    )
    assert statuses(answers) == [0] * 4


async def test_finders_info_is_also_asked_for_as_an_extended_attribute(client):
    opened = await client.ask(CREATE, frames.create("film.mov", access=0x00120089))
    body = frames.query(FILE, 15, opened.file_id)  # FileFullEaInformation
    assert (await client.ask(QUERY_INFO, body)).status == NtStatus.NO_EAS_ON_FILE


# What a Mac's file may be called and SMB cannot say: ':' at U+F022, '?' at U+F025 and so on, and
# a space or a dot at the end at U+F028 and U+F029.
@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("1\uf0222 movie", "1:2 movie"),
        ("why\uf025.txt", "why?.txt"),
        ("a\uf021b\uf020c", 'a*b"c'),
        ("ends in a dot\uf029", "ends in a dot."),
        ("ends in a space\uf028", "ends in a space "),
    ],
)
async def test_characters_that_smb_cannot_say_come_and_go_in_the_private_range(
    client, folder, said, kept
):
    answers = await client.ask_related((CREATE, frames.everything(said)), CLOSE_PREVIOUS)
    assert statuses(answers) == [0, 0]
    assert (folder / kept).exists()
    answers = await client.ask_related(
        (CREATE, frames.create("", options=frames.DIRECTORY_FILE)),
        (QUERY_DIRECTORY, frames.listing("*")),
    )
    assert said in frames.listed(answers[1])


async def test_names_are_kept_as_they_come_composed_or_not(client, folder):
    for name in ("Mu\u0308ll", "K\u00fcche"):
        answers = await client.ask_related((CREATE, frames.everything(name)), CLOSE_PREVIOUS)
        assert statuses(answers) == [0, 0]
        assert (folder / name).exists()


async def test_a_copy_written_with_a_full_sync_and_named_at_the_end(client, folder):
    """Finder copies under a name of its own, then renames; F_FULLFSYNC is a FLUSH."""
    body = frames.everything(".film copy", access=0x0012019F | DELETE)
    opened = await client.ask(CREATE, body)
    body = messages.write(opened.file_id, b"moov again")
    assert (await client.ask(WRITE, body)).status == 0
    flush = pack("<HHI", 24, 0xFFFF, 0) + opened.file_id  # Reserved1: Apple's "to the platter"
    assert (await client.ask(FLUSH, flush)).status == 0
    body = messages.set_info(opened.file_id, frames.RENAME, frames.rename("film copy.mov"))
    assert (await client.ask(SET_INFO, body)).status == 0
    read = await client.ask(READ, messages.read(opened.file_id))
    assert read.data == b"moov again"
    assert (await client.ask(CLOSE, messages.close(opened.file_id))).status == 0
    assert (folder / "film copy.mov").read_bytes() == b"moov again"


async def test_questions_about_the_network_are_declined(client):
    await client.enter("IPC$")
    body = frames.ioctl(frames.QUERY_NETWORK_INTERFACE_INFO)
    assert (await client.ask(IOCTL, body)).status == NtStatus.NOT_SUPPORTED
    body = frames.ioctl(frames.DFS_GET_REFERRALS, data=pack("<H", 3) + b"\\\0b\0\0\0")
    assert (await client.ask(IOCTL, body)).status == NtStatus.FS_DRIVER_REQUIRED
    assert (await client.ask(ECHO)).status == 0
