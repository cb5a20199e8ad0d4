"""Targets on the disk: what a client says of files, and what others may have left beside them."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from struct import pack, unpack_from

from smbd import vfs
from smbd.ntstatus import NtError
from smbd.vfs import File, acl
from smbd.wire.bounds import text
from smbd.wire.dtyp import SecurityDescriptor, parse_security_descriptor
from smbd.wire.fscc import (
    DIRECTORY_CLASSES,
    FILE_QUERIES,
    FileView,
    pack_directory_entries,
    pack_full_ea,
    parse_basic,
    parse_full_ea,
    parse_get_ea,
)
from tests.wire.examples import EXAMPLES

from .messages import LONG_DESCRIPTORS
from .target import Target

_FAILS = (NtError, OSError)
_NAMES = [
    name.encode("utf-16-le", "surrogatepass")
    for name in (
        *("a", "dir\\b", "A", "..\\a", "a:s:$DATA", "*.t?t", "dir\\", "n" * 255, "\u00e9" * 128),
        *("\ud800", "\udc80", "\uf029", "\uf022x", "con", "a.", "a ", "\u0130", "\U0001f600"),
    )
]
_KEPT = ("user.DOSATTRIB", "user.NTACL", "user.smbd.ChangeTime", "user.an EA")


class Files:
    """One folder, in which each mutant does what a client could."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "dir").mkdir()
        (folder / "file").write_bytes(b"content")
        self._root = vfs.Root(folder)
        self._file = self._root.open("file", read=True, write=True)
        self._descriptors = [
            bytes(one.data) for one in EXAMPLES if one.name == "security descriptor"
        ]

    def close(self) -> None:
        """Close what is open."""
        self._file.close()
        self._root.close()

    def targets(self) -> Iterator[Target]:
        """Names, patterns, values, sizes; and records that are damaged."""
        yield Target("names", _NAMES, self._named, _FAILS, share=0.3)
        yield Target("patterns", _NAMES, self._matched, _FAILS, share=0.3)
        times = [pack("<qqqqI4x", 1, 2, 3, 4, 2), pack("<qqqqI4x", 1 << 57, -1, -2, 0, 0x27)]
        yield Target("times and attributes", times, self._timed, _FAILS, share=0.2)
        sizes = [pack("<QQQ", 0, 5, 10), pack("<QQQ", 1 << 63, (1 << 63) - 1, 1)]
        yield Target("sizes and ranges", sizes, self._ranged, _FAILS, share=0.2)
        eas = [pack("<IBBH", 0, 0, 4, 5) + b"name\0value"]
        yield Target("EAs", eas, self._set_eas, _FAILS, share=0.2)
        yield Target("names of EAs", [pack("<IB", 0, 4) + b"name\0"], self._find_eas, _FAILS, 0.2)
        yield Target("descriptors", self._descriptors, self._set_descriptor, _FAILS, share=0.2)
        yield Target("inherited descriptors", self._descriptors, self._inherit, _FAILS, share=0.2)
        yield Target("long descriptors", LONG_DESCRIPTORS, self._set_descriptor, _FAILS, share=0.02)
        yield Target("inherited long ones", LONG_DESCRIPTORS, self._inherit, _FAILS, share=0.02)
        for name in _KEPT:
            yield Target(f"kept in {name}", self._kept(name), self._keeper(name), (), share=0.1)

    # -- what a client says --

    def _named(self, data: bytes) -> None:
        name = text(memoryview(data))
        path = vfs.name_to_path(name)
        assert vfs.path_to_name(path).encode("utf-16-le", "surrogatepass") is not None
        with suppress(*_FAILS):
            self._root.create(path, directory=False).close()
        with self._root.open(path, read=False, write=False) as file:
            vfs.information(file)
            vfs.short_name(file.name)
            if path in {"", "file", "dir"}:
                return
            with suppress(*_FAILS):
                self._root.link(file, "linked", replace=True)
            with suppress(*_FAILS):
                self._root.rename(file, "renamed", replace=True)
            self._root.remove(file)

    def _matched(self, data: bytes) -> None:
        pattern = text(memoryview(data))
        with self._root.open("", read=False, write=False) as folder:
            vfs.find_name(folder, pattern)
        matches = vfs.matcher(pattern)
        if matches is not None:
            for name in ("file", "a" * 255, "\ud800.", ""):
                matches(name)

    def _timed(self, data: bytes) -> None:
        value = parse_basic(memoryview(data))
        with suppress(*_FAILS):
            vfs.set_attributes(self._file, value.attributes)
        times = (
            value.creation_time,
            value.last_access_time,
            value.last_write_time,
            value.change_time,
        )
        with suppress(*_FAILS):
            vfs.set_times(self._file, *(time if time > 0 else None for time in times))
        self._shown(self._file)
        vfs.set_attributes(self._file, 0x80)

    def _ranged(self, data: bytes) -> None:
        # No parser lets a negative offset or length through.
        one, two, three = (
            value % (1 << 63) for value in unpack_from("<QQQ", data.ljust(24, b"\0"))
        )
        file = self._file
        attempts: list[Callable[[], object]] = [
            lambda: vfs.zero_range(file, one, two),
            lambda: vfs.allocated_ranges(file, one, two, 1 + three % 9),
            lambda: vfs.copy_range(file, file, one, two, three % (1 << 20)),
            lambda: vfs.append(file, memoryview(b"x"), one),
            lambda: vfs.set_end_of_file(file, one),
            lambda: vfs.allocate(file, two),
        ]
        for attempt in attempts:
            with suppress(*_FAILS):
                attempt()
        self._shown(file)
        vfs.set_end_of_file(file, 7)

    def _set_eas(self, data: bytes) -> None:
        with suppress(*_FAILS):
            vfs.set_eas(self._file, parse_full_ea(memoryview(data)))
        eas = vfs.list_eas(self._file, 1 << 20)
        assert parse_full_ea(memoryview(pack_full_ea(eas))) == eas
        vfs.find_eas(self._file, [ea.name for ea in eas])
        vfs.set_eas(self._file, [type(ea)(ea.name, b"") for ea in eas])

    def _find_eas(self, data: bytes) -> None:
        pack_full_ea(vfs.find_eas(self._file, parse_get_ea(memoryview(data))))

    def _set_descriptor(self, data: bytes) -> None:
        new = parse_security_descriptor(memoryview(data))
        made = SecurityDescriptor(None, None, None)
        with suppress(NtError):
            made = acl.changed(made, new, 7, acl.user_token("ann"))
        acl.store(self._file, made)
        kept = acl.load(self._file)
        assert kept is not None
        acl.allowed(kept, acl.GUEST)

    def _inherit(self, data: bytes) -> None:
        half = len(data) // 2
        parent = parse_security_descriptor(memoryview(data))
        with suppress(NtError):
            parent = acl.changed(
                parent, parse_security_descriptor(memoryview(data[half:])), 6, acl.GUEST
            )
        for directory in (False, True):
            made = acl.of_new(parent, None, acl.user_token("ann"), directory=directory)
            if made is not None:
                acl.store(self._file, made)

    # -- what somebody left beside a file --

    def _kept(self, name: str) -> list[bytes]:
        with self._root.create(f"keeps {_KEPT.index(name)}", directory=False) as file:
            vfs.set_attributes(file, 2)
            vfs.set_times(file, 5, None, None, 6)
            everyone = parse_security_descriptor(memoryview(self._descriptors[0]))
            acl.store(file, everyone)
            found = [
                os.getxattr(file.target, one)
                for one in _KEPT[:3]
                if one in os.listxattr(file.target)
            ]
        return [*found, b"0x22\0", b""]

    def _keeper(self, name: str) -> Callable[[bytes], None]:
        path = f"keeps {_KEPT.index(name)}"

        def keep(data: bytes) -> None:
            with self._root.open(path, read=False, write=False) as file:
                try:
                    os.setxattr(file.target, name, data)
                except OSError:
                    return
                self._shown(file)
                self._root_shows(path)

        return keep

    def _root_shows(self, path: str) -> None:
        with self._root.open("", read=False, write=False) as folder:
            known = vfs.entries(folder, [path])[0]
        assert known is not None
        for number in DIRECTORY_CLASSES:
            pack_directory_entries(number, [(path, known, 0)], 65536)

    def _shown(self, file: File) -> None:
        """All that QUERY_INFO tells of a file."""
        known, descriptor = vfs.examine(file)
        view = FileView(known, name=vfs.path_to_name(file.path))
        for query in FILE_QUERIES.values():
            query.pack(view)
        if descriptor is not None:
            acl.allowed(descriptor, acl.GUEST)
