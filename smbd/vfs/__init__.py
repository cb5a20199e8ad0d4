"""A share's storage: names confined to its root, files, directories, attributes, space.

Plain blocking functions for worker threads.  Errors are NtError where SMB has an opinion, else
OSError for the one table (smbd.ntstatus).
"""

from smbd.vfs.attributes import (
    SETTABLE_ATTRIBUTES,
    give_attributes,
    set_attributes,
    set_sparse,
    set_times,
)
from smbd.vfs.change_time import is_present
from smbd.vfs.changes import MovedError
from smbd.vfs.copying import copy_range
from smbd.vfs.eas import find_eas, list_eas, set_eas
from smbd.vfs.file import File, Key
from smbd.vfs.information import (
    WANTED,
    Ownership,
    examine,
    hidden_by_name,
    information,
    information_of_new,
    last_write_time,
    ownership,
    told_lately,
)
from smbd.vfs.listing import entries, find_name, is_empty, list_names
from smbd.vfs.mounts import one_path
from smbd.vfs.names import (
    DOTS,
    MAXIMUM_COMPONENT,
    all_to_wire,
    fold,
    name_to_path,
    parse_name,
    parse_stream,
    path_to_name,
    to_disk,
    to_wire,
)
from smbd.vfs.permission import may_describe, may_read, may_remove, may_remove_from, may_write
from smbd.vfs.place import Maker, Place, Unheard
from smbd.vfs.plain_entries import plain_entries
from smbd.vfs.records import is_settled
from smbd.vfs.recycling import Kept, Recycle
from smbd.vfs.root import Glimpse, Root
from smbd.vfs.rules import Rules
from smbd.vfs.short_names import short_name
from smbd.vfs.storage import (
    allocate,
    allocated_ranges,
    append,
    end_of_file,
    overwrite,
    set_end_of_file,
    sync,
    zero_range,
)
from smbd.vfs.streams import (
    StreamFile,
    Sweep,
    create_stream,
    has_stream,
    has_streams,
    know_share,
    list_streams,
    open_stream,
    remove_stream,
    remove_streams,
    small_content,
)
from smbd.vfs.undo import all_or_nothing
from smbd.vfs.visibility import Names
from smbd.vfs.wildcards import Matcher, has_wildcards, match, matcher

__all__ = [
    "DOTS",
    "MAXIMUM_COMPONENT",
    "SETTABLE_ATTRIBUTES",
    "WANTED",
    "File",
    "Glimpse",
    "Kept",
    "Key",
    "Maker",
    "Matcher",
    "MovedError",
    "Names",
    "Ownership",
    "Place",
    "Recycle",
    "Root",
    "Rules",
    "StreamFile",
    "Sweep",
    "Unheard",
    "all_or_nothing",
    "all_to_wire",
    "allocate",
    "allocated_ranges",
    "append",
    "copy_range",
    "create_stream",
    "end_of_file",
    "entries",
    "examine",
    "find_eas",
    "find_name",
    "fold",
    "give_attributes",
    "has_stream",
    "has_streams",
    "has_wildcards",
    "hidden_by_name",
    "information",
    "information_of_new",
    "is_empty",
    "is_present",
    "is_settled",
    "know_share",
    "last_write_time",
    "list_eas",
    "list_names",
    "list_streams",
    "match",
    "matcher",
    "may_describe",
    "may_read",
    "may_remove",
    "may_remove_from",
    "may_write",
    "name_to_path",
    "one_path",
    "open_stream",
    "overwrite",
    "ownership",
    "parse_name",
    "parse_stream",
    "path_to_name",
    "plain_entries",
    "remove_stream",
    "remove_streams",
    "set_attributes",
    "set_eas",
    "set_end_of_file",
    "set_sparse",
    "set_times",
    "short_name",
    "small_content",
    "sync",
    "to_disk",
    "to_wire",
    "told_lately",
    "zero_range",
]
