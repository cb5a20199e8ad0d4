"""Apple's extensions as its own client's header has them (SMBClient, netsmb/smb_2.h)."""

import pytest

from smbd.ntstatus import NtError, NtStatus
from smbd.wire import aapl
from smbd.wire.aapl import ReadDirInformation, Reported

from .hexadecimal import unhex

ENTRY = """
    {step:02x} 00 00 00               # NextEntryOffset
    {index:02x} 00 00 00               # FileIndex
    01 00 00 00 00 00 00 00   # CreationTime
    02 00 00 00 00 00 00 00   # LastAccessTime
    03 00 00 00 00 00 00 00   # LastWriteTime
    04 00 00 00 00 00 00 00   # ChangeTime
    64 00 00 00 00 00 00 00   # EndOfFile
    00 10 00 00 00 00 00 00   # AllocationSize
    20 00 00 00               # FileAttributes
    06 00 00 00               # FileNameLength
    ff 01 1f 00               # MaxAccess
    00 00                     # ShortNameLength, Reserved
    05 00 00 00 00 00 00 00   # RsrcForkLen
    54 45 58 54 74 74 78 74 40 00 00 01 00 00 00 09
    a4 81                     # UnixMode: a file, rw-r--r--
    4d 00 00 00 00 00 00 00   # FileId
    'abc'
"""
AFP_INFO = unhex("""
    41 46 50 00               # AFP
    00 00 01 00               # version
    00 00 00 00               # reserved
    80 00 00 00               # no backup yet
    54 45 58 54 74 74 78 74   # TEXTttxt
    40 00                     # FinderFlags
    11 11 11 11 22 22         # Location, Folder
    33 33 33 33               # reserved
    00 00 00 09               # DateAdded
    00 01                     # ExtendedFinderFlags
    44 44 55 55 55 55
    00 00 00 00 00 00 00 00 00 00 00 00
""")


def test_a_directory_entry_has_rights_fork_finder_info_and_mode():
    info = aapl.compress_finder_info(AFP_INFO, directory=False)
    known = ReadDirInformation(
        1, 2, 3, 4, 4096, 100, 0x20,
        index_number=77, ea_size=9, maximal_access=0x1F01FF, resource_fork_size=5,
        finder_info=info, mode=0o100644,
    )  # fmt: skip
    out, count = aapl.pack_read_dir_entries([("abc", known, 1), ("abc", known, 2)], 4096)
    first, second = unhex(ENTRY.format(step=112, index=1)), unhex(ENTRY.format(step=0, index=2))
    assert count == 2
    assert out.hex(" ") == (first + b"\0\0" + second).hex(" ")


def test_the_finder_info_of_a_folder_has_neither_type_nor_creator():
    info = aapl.compress_finder_info(AFP_INFO, directory=True)
    assert info == bytes(8) + unhex("40 00 00 01 00 00 00 09")


@pytest.mark.parametrize("stream", [b"", AFP_INFO[:59]])
def test_without_a_whole_stream_there_is_no_finder_info(stream):
    assert aapl.compress_finder_info(stream, directory=False) == bytes(16)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (0, "01 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00"),
        (1, "01 00 00 00 00 00 00 00  01 00 00 00 00 00 00 00  05 00 00 00 00 00 00 00"),
        (2, "01 00 00 00 00 00 00 00  02 00 00 00 00 00 00 00  04 00 00 00 00 00 00 00"),
        (4, "01 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00"),
    ],
)
def test_a_server_query_is_answered_as_far_as_it_asks_and_without_a_model(asked, told):
    reply = aapl.pack_server_query_reply(aapl.ServerQuery(asked, 7), 5, 4)
    assert reply == unhex(told)


def test_a_server_query_for_everything():
    everything = Reported.SERVER_CAPS | Reported.VOLUME_CAPS | Reported.MODEL_INFO
    reply = aapl.pack_server_query_reply(aapl.ServerQuery(everything, 7), 5, 4)
    assert reply == unhex("""
        01 00 00 00 00 00 00 00   # CommandCode, Reserved
        03 00 00 00 00 00 00 00   # ReplyBitmap
        05 00 00 00 00 00 00 00   # server capabilities
        04 00 00 00 00 00 00 00   # volume capabilities
    """)


def test_no_path_is_found_by_an_id():
    reply = aapl.pack_resolve_id_refusal(NtStatus.NOT_SUPPORTED)
    assert reply == unhex("""
        02 00 00 00 00 00 00 00   # CommandCode, Reserved
        bb 00 00 c0               # NTSTATUS
        00 00 00 00               # length of the path
    """)


@pytest.mark.parametrize("data", ["01 00", "01" + "00" * 22, "01" + "00" * 24, "02" + "00" * 23])
def test_another_length_than_the_commands_is_refused(data):
    with pytest.raises(NtError) as refused:
        aapl.parse_aapl(memoryview(unhex(data)))
    assert refused.value.status == NtStatus.INVALID_PARAMETER
