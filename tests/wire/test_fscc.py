"""Information classes as QUERY_INFO and QUERY_DIRECTORY send them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbd.ntstatus import NtError, NtStatus
from smbd.wire import fscc
from smbd.wire.fscc import FileClass, FileInformation, FileSystemClass, FileView

from .hexadecimal import unhex

INFORMATION = FileInformation(
    creation_time=1,
    last_access_time=2,
    last_write_time=3,
    change_time=4,
    allocation_size=4096,
    end_of_file=100,
    attributes=0x20,
    number_of_links=2,
    index_number=0x4D,
    volume_id=8,
    ea_size=9,
)
VIEW = FileView(
    INFORMATION,
    name="d\\f",
    granted_access=0x1F01FF,
    mode=2,
    position=5,
    alignment=1,
    short_name="F~1",
    streams=[
        fscc.StreamInformation("::$DATA", 100, 4096),
        fscc.StreamInformation(":x:$DATA", 1, 8),
    ],
    eas=[fscc.ExtendedAttribute(b"one", b"11"), fscc.ExtendedAttribute(b"x", b"", 0x80)],
)
VOLUME = fscc.Volume(
    serial_number=0x11223344,
    creation_time=7,
    label="ab",
    total_units=1000,
    caller_free_units=500,
    free_units=600,
    sectors_per_unit=8,
    bytes_per_sector=512,
    file_system_name="NTFS",
    attributes=0x4002F,
    guid=bytes(range(16)),
)

BASIC = """
    01 00 00 00 00 00 00 00   # CreationTime
    02 00 00 00 00 00 00 00   # LastAccessTime
    03 00 00 00 00 00 00 00   # LastWriteTime
    04 00 00 00 00 00 00 00   # ChangeTime
    20 00 00 00               # FileAttributes
    00 00 00 00               # Reserved
"""
STANDARD = """
    00 10 00 00 00 00 00 00   # AllocationSize
    64 00 00 00 00 00 00 00   # EndOfFile
    02 00 00 00               # NumberOfLinks
    00                        # DeletePending
    00                        # Directory
    00 00                     # Reserved
"""
NAME = """
    08 00 00 00               # FileNameLength
    '\\d\\f'
"""
FILE_CLASSES = {
    FileClass.BASIC: BASIC,
    FileClass.STANDARD: STANDARD,
    FileClass.INTERNAL: "4d 00 00 00 00 00 00 00",
    FileClass.EA: "09 00 00 00",
    FileClass.ACCESS: "ff 01 1f 00",
    FileClass.NAME: NAME,
    FileClass.POSITION: "05 00 00 00 00 00 00 00",
    FileClass.MODE: "02 00 00 00",
    FileClass.ALIGNMENT: "01 00 00 00",
    FileClass.ALL: f"""
        {BASIC}
        {STANDARD}
        4d 00 00 00 00 00 00 00   # IndexNumber
        09 00 00 00               # EaSize
        ff 01 1f 00               # AccessFlags
        05 00 00 00 00 00 00 00   # CurrentByteOffset
        02 00 00 00               # Mode
        01 00 00 00               # AlignmentRequirement
        {NAME}
    """,
    FileClass.ALTERNATE_NAME: """
        06 00 00 00               # FileNameLength
        'F~1'
    """,
    FileClass.NORMALIZED_NAME: """
        06 00 00 00               # FileNameLength
        'd\\f'
    """,
    FileClass.STREAM: """
        28 00 00 00               # NextEntryOffset
        0e 00 00 00               # StreamNameLength
        64 00 00 00 00 00 00 00   # StreamSize
        00 10 00 00 00 00 00 00   # StreamAllocationSize
        '::$DATA'
        00 00                     # padding
        00 00 00 00               # NextEntryOffset
        10 00 00 00               # StreamNameLength
        01 00 00 00 00 00 00 00   # StreamSize
        08 00 00 00 00 00 00 00   # StreamAllocationSize
        ':x:$DATA'
    """,
    FileClass.COMPRESSION: """
        00 10 00 00 00 00 00 00   # CompressedFileSize
        00 00                     # CompressionFormat
        00                        # CompressionUnitShift
        00                        # ChunkShift
        00                        # ClusterShift
        00 00 00                  # Reserved
    """,
    FileClass.NETWORK_OPEN: """
        01 00 00 00 00 00 00 00   # CreationTime
        02 00 00 00 00 00 00 00   # LastAccessTime
        03 00 00 00 00 00 00 00   # LastWriteTime
        04 00 00 00 00 00 00 00   # ChangeTime
        00 10 00 00 00 00 00 00   # AllocationSize
        64 00 00 00 00 00 00 00   # EndOfFile
        20 00 00 00               # FileAttributes
        00 00 00 00               # Reserved
    """,
    FileClass.ATTRIBUTE_TAG: "20 00 00 00 00 00 00 00",
    FileClass.ID: """
        08 00 00 00 00 00 00 00   # VolumeSerialNumber
        4d 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    """,
    FileClass.FULL_EA: """
        10 00 00 00               # NextEntryOffset
        00                        # Flags
        03                        # EaNameLength
        02 00                     # EaValueLength
        6f 6e 65 00               # EaName
        31 31                     # EaValue
        00 00                     # padding
        00 00 00 00               # NextEntryOffset
        80                        # Flags
        01                        # EaNameLength
        00 00                     # EaValueLength
        78 00                     # EaName
    """,
}
FILE_SYSTEM_CLASSES = {
    FileSystemClass.VOLUME: """
        07 00 00 00 00 00 00 00   # VolumeCreationTime
        44 33 22 11               # VolumeSerialNumber
        04 00 00 00               # VolumeLabelLength
        00                        # SupportsObjects
        00                        # Reserved
        'ab'
    """,
    FileSystemClass.SIZE: """
        e8 03 00 00 00 00 00 00   # TotalAllocationUnits
        f4 01 00 00 00 00 00 00   # AvailableAllocationUnits
        08 00 00 00               # SectorsPerAllocationUnit
        00 02 00 00               # BytesPerSector
    """,
    FileSystemClass.DEVICE: """
        07 00 00 00               # DeviceType
        20 00 00 00               # Characteristics
    """,
    FileSystemClass.ATTRIBUTE: """
        2f 00 04 00               # FileSystemAttributes
        ff 00 00 00               # MaximumComponentNameLength
        08 00 00 00               # FileSystemNameLength
        'NTFS'
    """,
    FileSystemClass.CONTROL: """
        00 00 00 00 00 00 00 00   # FreeSpaceStartFiltering
        00 00 00 00 00 00 00 00   # FreeSpaceThreshold
        00 00 00 00 00 00 00 00   # FreeSpaceStopFiltering
        ff ff ff ff ff ff ff ff   # DefaultQuotaThreshold
        ff ff ff ff ff ff ff ff   # DefaultQuotaLimit
        00 00 00 00               # FileSystemControlFlags
        00 00 00 00               # Padding
    """,
    FileSystemClass.FULL_SIZE: """
        e8 03 00 00 00 00 00 00   # TotalAllocationUnits
        f4 01 00 00 00 00 00 00   # CallerAvailableAllocationUnits
        58 02 00 00 00 00 00 00   # ActualAvailableAllocationUnits
        08 00 00 00               # SectorsPerAllocationUnit
        00 02 00 00               # BytesPerSector
    """,
    FileSystemClass.OBJECT_ID: """
        00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
        00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    """,
    FileSystemClass.SECTOR_SIZE: """
        00 02 00 00               # LogicalBytesPerSector
        00 02 00 00               # PhysicalBytesPerSectorForAtomicity
        00 02 00 00               # PhysicalBytesPerSectorForPerformance
        00 02 00 00               # FileSystemEffectivePhysicalBytesPerSectorForAtomicity
        03 00 00 00               # Flags
        00 00 00 00               # ByteOffsetForSectorAlignment
        00 00 00 00               # ByteOffsetForPartitionAlignment
    """,
}
HEAD = """
    {step:02x} 00 00 00       # NextEntryOffset
    {index:02x} 00 00 00      # FileIndex
    01 00 00 00 00 00 00 00   # CreationTime
    02 00 00 00 00 00 00 00   # LastAccessTime
    03 00 00 00 00 00 00 00   # LastWriteTime
    04 00 00 00 00 00 00 00   # ChangeTime
    64 00 00 00 00 00 00 00   # EndOfFile
    00 10 00 00 00 00 00 00   # AllocationSize
    20 00 00 00               # FileAttributes
    06 00 00 00               # FileNameLength
"""
DIRECTORY_CLASSES = {
    FileClass.DIRECTORY: HEAD,
    FileClass.FULL_DIRECTORY: f"""
        {HEAD}
        09 00 00 00               # EaSize
    """,
    FileClass.BOTH_DIRECTORY: f"""
        {HEAD}
        09 00 00 00               # EaSize
        00                        # ShortNameLength
        00                        # Reserved
        {"00" * 24}
    """,
    FileClass.NAMES: """
        {step:02x} 00 00 00       # NextEntryOffset
        {index:02x} 00 00 00      # FileIndex
        06 00 00 00               # FileNameLength
    """,
    FileClass.ID_BOTH_DIRECTORY: f"""
        {HEAD}
        09 00 00 00               # EaSize
        00                        # ShortNameLength
        00                        # Reserved1
        {"00" * 24}
        00 00                     # Reserved2
        4d 00 00 00 00 00 00 00   # FileId
    """,
    FileClass.ID_FULL_DIRECTORY: f"""
        {HEAD}
        09 00 00 00               # EaSize
        00 00 00 00               # Reserved
        4d 00 00 00 00 00 00 00   # FileId
    """,
    FileClass.ID_EXTD_DIRECTORY: f"""
        {HEAD}
        09 00 00 00               # EaSize
        00 00 00 00               # ReparsePointTag
        4d 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    """,
}


@pytest.mark.parametrize("info_class", fscc.FILE_QUERIES)
def test_a_file_class_has_the_bytes_of_the_specification(info_class: int) -> None:
    row = fscc.FILE_QUERIES[info_class]
    assert row.pack(VIEW).hex(" ") == unhex(FILE_CLASSES[info_class]).hex(" ")


@pytest.mark.parametrize("info_class", fscc.FILE_SYSTEM_QUERIES)
def test_a_file_system_class_has_the_bytes_of_the_specification(info_class: int) -> None:
    row = fscc.FILE_SYSTEM_QUERIES[info_class]
    assert row.pack(VOLUME).hex(" ") == unhex(FILE_SYSTEM_CLASSES[info_class]).hex(" ")


@pytest.mark.parametrize("info_class", fscc.DIRECTORY_CLASSES)
def test_a_directory_class_has_the_bytes_of_the_specification(info_class: int) -> None:
    out, count = fscc.pack_directory_entries(
        info_class, [("abc", INFORMATION, 1), ("def", INFORMATION, 2)], 4096
    )
    fixed = DIRECTORY_CLASSES[info_class]
    size = len(unhex(fixed.format(step=0, index=0))) + 6
    step = size + -size % 8
    first = unhex(fixed.format(step=step, index=1) + "\n'abc'").ljust(step, b"\0")
    assert out.hex(" ") == (first + unhex(fixed.format(step=0, index=2) + "\n'def'")).hex(" ")
    assert count == 2


def test_the_two_classes_of_a_pipe() -> None:
    assert fscc.pack_pipe(fscc.PipeInformation(1, 0)) == unhex("01 00 00 00 00 00 00 00")
    assert fscc.pack_pipe_local(fscc.PipeLocal(read_data_available=7)) == unhex("""
        01 00 00 00               # NamedPipeType: message
        02 00 00 00               # NamedPipeConfiguration: full duplex
        ff ff ff ff               # MaximumInstances
        01 00 00 00               # CurrentInstances
        00 10 00 00               # InboundQuota
        07 00 00 00               # ReadDataAvailable
        00 10 00 00               # OutboundQuota
        00 10 00 00               # WriteQuotaAvailable
        03 00 00 00               # NamedPipeState: connected
        00 00 00 00               # NamedPipeEnd
    """)


def test_a_read_only_volume_is_a_read_only_device() -> None:
    volume = fscc.Volume(1, 2, "", 1, 1, 1, 1, 512, "NTFS", 0x80000, bytes(16))
    pack = fscc.FILE_SYSTEM_QUERIES[FileSystemClass.DEVICE].pack
    assert pack(volume) == unhex("07 00 00 00 22 00 00 00")


def test_a_directory_that_is_to_be_deleted_says_so() -> None:
    view = FileView(FileInformation(1, 2, 3, 4, 0, 0, 16, is_directory=True, delete_pending=True))
    assert fscc.FILE_QUERIES[FileClass.STANDARD].pack(view)[20:22] == b"\1\1"


def test_a_reparse_point_shows_its_tag_in_place_of_its_ea_size() -> None:
    link = FileInformation(1, 2, 3, 4, 0, 0, 0x400, ea_size=9, reparse_tag=0xA000000C)
    out, _ = fscc.pack_directory_entries(FileClass.FULL_DIRECTORY, [("l", link, 0)], 4096)
    assert out[64:68] == unhex("0c 00 00 a0")


def test_the_root_is_called_backslash() -> None:
    view = FileView(INFORMATION)
    assert fscc.FILE_QUERIES[FileClass.NAME].pack(view) == unhex("02 00 00 00 5c 00")
    assert fscc.FILE_QUERIES[FileClass.NORMALIZED_NAME].pack(view) == bytes(4)


def test_a_directory_has_no_streams() -> None:
    view = FileView(INFORMATION)
    assert fscc.FILE_QUERIES[FileClass.STREAM].pack(view) == b""
    assert fscc.FILE_QUERIES[FileClass.FULL_EA].pack(view) == b""


def test_less_room_than_the_fixed_part_is_a_length_mismatch() -> None:
    row = fscc.FILE_QUERIES[FileClass.ALL]
    with pytest.raises(NtError) as caught:
        fscc.truncate(row.pack(VIEW), row.minimum, row.minimum - 1)
    assert caught.value.status == NtStatus.INFO_LENGTH_MISMATCH


def test_room_for_a_part_of_the_name_is_an_overflow() -> None:
    row = fscc.FILE_QUERIES[FileClass.ALL]
    whole = row.pack(VIEW)
    status, output = fscc.truncate(whole, row.minimum, row.minimum)
    assert status == NtStatus.BUFFER_OVERFLOW
    assert output == whole[:104]
    assert fscc.truncate(whole, row.minimum, len(whole)) == (NtStatus.SUCCESS, whole)


def test_classes_that_the_specification_lacks_are_told_apart() -> None:
    assert fscc.is_file_class(FileClass.HARD_LINK)
    assert not fscc.is_file_class(200)
    assert fscc.is_file_system_class(FileSystemClass.DRIVER_PATH)
    assert not fscc.is_file_system_class(99)


def test_an_unknown_directory_class_is_refused() -> None:
    with pytest.raises(NtError) as caught:
        fscc.pack_directory_entries(FileClass.BASIC, [], 4096)
    assert caught.value.status == NtStatus.INVALID_INFO_CLASS


def test_a_first_entry_that_does_not_fit_leaves_nothing() -> None:
    entries = [("a name", INFORMATION, 0)]
    assert fscc.pack_directory_entries(FileClass.NAMES, entries, 23) == (b"", 0)
    assert fscc.pack_directory_entries(FileClass.NAMES, entries, 24)[1] == 1


def walk(out: bytes, fixed: int) -> list[str]:
    """The names of a chain of entries whose FileNameLength is at 60, or at 8 in NAMES."""
    names = []
    at = 0
    while out:
        following = int.from_bytes(out[at : at + 4], "little")
        length_at = at + (8 if fixed == 12 else 60)
        length = int.from_bytes(out[length_at : length_at + 4], "little")
        names.append(
            out[at + fixed : at + fixed + length].decode("utf-16-le", errors="surrogatepass")
        )
        assert at % 8 == 0
        if not following:
            assert at + fixed + length == len(out)
            break
        at += following
    return names


@given(
    names=st.lists(st.text(max_size=20), max_size=20),
    limit=st.integers(0, 1500),
    shape=st.sampled_from([(FileClass.NAMES, 12), (FileClass.ID_BOTH_DIRECTORY, 104)]),
)
def test_a_folder_is_sent_whole_and_in_order_however_small_the_pieces(
    names: list[str], limit: int, shape: tuple[int, int]
) -> None:
    info_class, fixed = shape
    left = [(name, INFORMATION, 0) for name in names]
    got = []
    while left:
        out, count = fscc.pack_directory_entries(info_class, left, limit)
        assert len(out) <= limit
        if not count:
            assert fixed + len(left[0][0].encode("utf-16-le", "surrogatepass")) > limit
            return
        got += walk(bytes(out), fixed)
        left = left[count:]
    assert got == names
