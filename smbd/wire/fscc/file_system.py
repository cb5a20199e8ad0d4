"""QUERY_INFO's file system information classes ([MS-FSCC] 2.5), one row each as in query."""

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from smbd.wire.bounds import encode
from smbd.wire.fscc.classes import FileSystemClass
from smbd.wire.fscc.information import FileSystemAttribute, Volume


class FileSystemQuery(NamedTuple):
    """A row: its packer and the least OutputBufferLength."""

    pack: Callable[[Volume], bytes]
    minimum: int


_VOLUME = Struct(
    "<"
    "Q"  # VolumeCreationTime
    "I"  # VolumeSerialNumber
    "I"  # VolumeLabelLength
    "x"  # SupportsObjects
    "x"  # Reserved
)  # fmt: skip
_SIZE = Struct(
    "<"
    "Q"  # TotalAllocationUnits
    "Q"  # ActualAvailableAllocationUnits
    "I"  # SectorsPerAllocationUnit
    "I"  # BytesPerSector
)  # fmt: skip
_DEVICE = Struct(
    "<"
    "I"  # DeviceType
    "I"  # Characteristics
)  # fmt: skip
_ATTRIBUTE = Struct(
    "<"
    "I"  # FileSystemAttributes
    "I"  # MaximumComponentNameLength
    "I"  # FileSystemNameLength
)  # fmt: skip
_CONTROL = Struct(
    "<"
    "24x"  # FreeSpaceStartFiltering, FreeSpaceThreshold, FreeSpaceStopFiltering
    "Q"    # DefaultQuotaThreshold
    "Q"    # DefaultQuotaLimit
    "8x"   # FileSystemControlFlags, Padding
)  # fmt: skip
_FULL_SIZE = Struct(
    "<"
    "Q"  # TotalAllocationUnits
    "Q"  # CallerAvailableAllocationUnits
    "Q"  # ActualAvailableAllocationUnits
    "I"  # SectorsPerAllocationUnit
    "I"  # BytesPerSector
)  # fmt: skip
_OBJECT_ID = Struct(
    "<"
    "16s"  # ObjectId
    "48x"  # ExtendedInfo
)  # fmt: skip
_SECTOR_SIZE = Struct(
    "<"
    "I"   # LogicalBytesPerSector
    "I"   # PhysicalBytesPerSectorForAtomicity
    "I"   # PhysicalBytesPerSectorForPerformance
    "I"   # FileSystemEffectivePhysicalBytesPerSectorForAtomicity
    "I"   # Flags
    "8x"  # ByteOffsetForSectorAlignment, ByteOffsetForPartitionAlignment
)  # fmt: skip

_FILE_DEVICE_DISK = 0x00000007
_FILE_READ_ONLY_DEVICE = 0x00000002
_FILE_DEVICE_IS_MOUNTED = 0x00000020
_ALIGNED = 0x00000003  # the device is aligned, and the partition on it
_NO_LIMIT = 0xFFFFFFFFFFFFFFFF


def _pack_volume(volume: Volume) -> bytes:
    label = encode(volume.label)
    return _VOLUME.pack(volume.creation_time, volume.serial_number, len(label)) + label


def _pack_size(volume: Volume) -> bytes:
    return _SIZE.pack(
        volume.total_units,
        volume.caller_free_units,
        volume.sectors_per_unit,
        volume.bytes_per_sector,
    )


def _pack_device(volume: Volume) -> bytes:
    characteristics = _FILE_DEVICE_IS_MOUNTED
    if volume.attributes & FileSystemAttribute.READ_ONLY_VOLUME:
        characteristics |= _FILE_READ_ONLY_DEVICE
    return _DEVICE.pack(_FILE_DEVICE_DISK, characteristics)


def _pack_attribute(volume: Volume) -> bytes:
    name = encode(volume.file_system_name)
    return _ATTRIBUTE.pack(volume.attributes, volume.maximum_name_length, len(name)) + name


def _pack_control(_volume: Volume) -> bytes:
    return _CONTROL.pack(_NO_LIMIT, _NO_LIMIT)


def _pack_full_size(volume: Volume) -> bytes:
    return _FULL_SIZE.pack(
        volume.total_units,
        volume.caller_free_units,
        volume.free_units,
        volume.sectors_per_unit,
        volume.bytes_per_sector,
    )


def _pack_object_id(volume: Volume) -> bytes:
    return _OBJECT_ID.pack(volume.guid)


def _pack_sector_size(volume: Volume) -> bytes:
    size = volume.bytes_per_sector
    return _SECTOR_SIZE.pack(size, size, size, size, _ALIGNED)


FILE_SYSTEM_QUERIES: dict[int, FileSystemQuery] = {
    FileSystemClass.VOLUME: FileSystemQuery(_pack_volume, 24),
    FileSystemClass.SIZE: FileSystemQuery(_pack_size, 24),
    FileSystemClass.DEVICE: FileSystemQuery(_pack_device, 8),
    FileSystemClass.ATTRIBUTE: FileSystemQuery(_pack_attribute, 16),
    FileSystemClass.CONTROL: FileSystemQuery(_pack_control, 48),
    FileSystemClass.FULL_SIZE: FileSystemQuery(_pack_full_size, 32),
    FileSystemClass.OBJECT_ID: FileSystemQuery(_pack_object_id, 64),
    FileSystemClass.SECTOR_SIZE: FileSystemQuery(_pack_sector_size, 28),
}
