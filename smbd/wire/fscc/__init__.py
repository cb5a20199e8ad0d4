"""Information classes: what QUERY_INFO, SET_INFO and QUERY_DIRECTORY carry ([MS-FSCC] 2.4, 2.5)."""

from smbd.wire.fscc.classes import (
    FileClass,
    FileSystemClass,
    is_file_class,
    is_file_system_class,
    truncate,
)
from smbd.wire.fscc.directory import DIRECTORY_CLASSES, pack_directory_entries
from smbd.wire.fscc.ea import ExtendedAttribute, pack_full_ea, parse_full_ea, parse_get_ea
from smbd.wire.fscc.file_system import FILE_SYSTEM_QUERIES, FileSystemQuery
from smbd.wire.fscc.information import (
    FileAttribute,
    FileInformation,
    FileSystemAttribute,
    Volume,
)
from smbd.wire.fscc.pipe import (
    PipeInformation,
    PipeLocal,
    pack_pipe,
    pack_pipe_local,
    parse_pipe,
)
from smbd.wire.fscc.query import FILE_QUERIES, FileQuery, FileView, StreamInformation
from smbd.wire.fscc.set import (
    FILE_SETS,
    BasicInformation,
    DispositionFlags,
    FileSet,
    Rename,
    parse_allocation,
    parse_basic,
    parse_disposition,
    parse_disposition_ex,
    parse_end_of_file,
    parse_link,
    parse_mode,
    parse_position,
    parse_rename,
    parse_short_name,
    parse_valid_data_length,
)

__all__ = [
    "DIRECTORY_CLASSES",
    "FILE_QUERIES",
    "FILE_SETS",
    "FILE_SYSTEM_QUERIES",
    "BasicInformation",
    "DispositionFlags",
    "ExtendedAttribute",
    "FileAttribute",
    "FileClass",
    "FileInformation",
    "FileQuery",
    "FileSet",
    "FileSystemAttribute",
    "FileSystemClass",
    "FileSystemQuery",
    "FileView",
    "PipeInformation",
    "PipeLocal",
    "Rename",
    "StreamInformation",
    "Volume",
    "is_file_class",
    "is_file_system_class",
    "pack_directory_entries",
    "pack_full_ea",
    "pack_pipe",
    "pack_pipe_local",
    "parse_allocation",
    "parse_basic",
    "parse_disposition",
    "parse_disposition_ex",
    "parse_end_of_file",
    "parse_full_ea",
    "parse_get_ea",
    "parse_link",
    "parse_mode",
    "parse_pipe",
    "parse_position",
    "parse_rename",
    "parse_short_name",
    "parse_valid_data_length",
    "truncate",
]
