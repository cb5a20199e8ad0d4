"""SMB names <-> paths on disk.

A *name* is SMB's: components joined by a backslash, UTF-16, some characters impossible.
A *path* is the kernel's: components joined by a slash, any byte but NUL and slash, as a
`str` with undecodable bytes escaped (`os.fsdecode`).  The root of a share is "" on both sides.
"""

import os
import re
from collections.abc import Sequence
from functools import lru_cache

from smbd.ntstatus import NtError, NtStatus

DOTS = (".", "..")  # the two names that every directory has
_PATH_MAX = 4096  # bytes, with the zero at the end (linux/limits.h)
MAXIMUM_COMPONENT = 255  # bytes on disk: NAME_MAX of every Linux file system we serve
# Characters of a stream's name ([MS-FSCC] 2.1.5.3), and bytes that are left of an extended
# attribute's 255 for it.
_LONGEST_STREAM, _LONGEST_STREAM_ON_DISK = 255, 234
STREAM_STORE = ".smbd-streams"  # a directory of the server's own, which no client sees

# Characters that a Unix name may hold and an SMB name may not travel in the private use area, as
# Services for Macintosh put them there; macOS and cifs.ko (mapposix, its default) speak this
# table, so "a:b" on disk looks right to them and can at least be opened by everyone else.  The
# slash has no place in it: macOS shows its colon as ours, and U+F000 would be a NUL.
_ILLEGAL = {code: 0xF000 + code for code in range(1, 0x20)} | {
    ord(character): 0xF020 + place for place, character in enumerate('"*:<>?\\|')
}
_LEGAL = {private: code for code, private in _ILLEGAL.items()}
# A space or period at the end is legal on the wire but Win32 strips it, so that Explorer could not
# open a file that it lists; only the last character matters (cifs.ko does the same).
_LAST_ILLEGAL = {" ": "\uf028", ".": "\uf029"}
_LAST_LEGAL = {private: plain for plain, private in _LAST_ILLEGAL.items()}

# A byte that is no UTF-8 travels there too: most clients cannot decode a lone surrogate, and would
# show nothing of a directory that has one.  U+F000 + byte is how Cygwin says the same, so that its
# users see the name as it is on disk; cifs.ko and Services for Unix put no more than ASCII there.
# A character of this range that a name on disk holds itself goes out as its three bytes: so no two
# names on disk are one to a client.
_BYTES = {0xDC00 + byte: 0xF000 + byte for byte in range(0x80, 0x100)}
_BYTES_SAID = {private: escaped for escaped, private in _BYTES.items()}
_SAME: dict[int, int | str] = {**_ILLEGAL, **_BYTES}
_ON_WIRE = _SAME | {
    private: "".join(chr(0xF000 + byte) for byte in chr(private).encode())
    for private in _BYTES_SAID
}

_UNUSUAL_ON_DISK = re.compile(r'[\x01-\x1f"*:<>?\\|\ud800-\udfff\uf080-\uf0ff]|[ .]\Z')
_UNUSUAL_IN_PATH = re.compile(_UNUSUAL_ON_DISK.pattern + r"|[ .]/")
_UNUSUAL_ANYWHERE = ('"', "*", ":", "<", ">", "?", "\\", "|", " /", "./")  # and all not printable
_UNUSUAL_ON_WIRE = re.compile(r"[\uf001-\uf029\uf080-\uf0ff\ud800-\udfff]")
_NO_UTF_8 = re.compile(r"[\uf080-\uf0ff\ud800-\udfff]")
_FORBIDDEN = re.compile(r'[\x00-\x1f"*<>?|/]')  # [MS-FSCC] 2.1.5.2; ':' separates streams
_FORBIDDEN_IN_STREAM = re.compile(r"[\x00\\/:]")  # [MS-FSCC] 2.1.5.3
# Names in which there is nothing to resolve, to map or to refuse, as most are: components of at
# most 63 characters below the surrogates, 189 bytes, that do not begin with a period.
_PLAIN_COMPONENT = (
    r'[^\x00-\x1f"*<>?|/:\\.\ud800-\U0010ffff][^\x00-\x1f"*<>?|/:\\\ud800-\U0010ffff]{0,62}'
)
_PLAIN = re.compile(rf"{_PLAIN_COMPONENT}(?:\\{_PLAIN_COMPONENT})*")
_BACKSLASHES = re.compile(r"\\{2,}(?=[^\\])")
_SURROGATE = re.compile("[\ud800-\udfff]")


def to_wire(component: str) -> str:
    """One component of a path as an SMB name that every client can decode."""
    if not _UNUSUAL_ON_DISK.search(component):
        return component
    return _said(component, _ON_WIRE)


def all_to_wire(components: Sequence[str]) -> Sequence[str]:
    """`to_wire` of each; "." and ".." stay.  Plain names take a tenth of the time."""
    if _all_usual("/".join(components) + "/"):
        return components
    return [one if one in DOTS else to_wire(one) for one in components]


def _all_usual(everything: str) -> bool:
    """Whether names, each with a slash behind it, are all the same on disk and on the wire."""
    return everything.isprintable() and not any(map(everything.__contains__, _UNUSUAL_ANYWHERE))


def _said(component: str, table: dict[int, int | str]) -> str:
    name = component.translate(table)
    return name[:-1] + _LAST_ILLEGAL.get(name[-1], name[-1])


def to_disk(component: str) -> str:
    """One component of an SMB name as it is created on disk, and looked up first.

    A private-range character becomes the one that it stands for.  A tree that Samba wrote without
    its catia module holds the private characters themselves: such a file is found second, because
    the directory's index knows every entry by its `comparison_key`, where both are the same.
    """
    if not _UNUSUAL_ON_WIRE.search(component):
        return component
    path = component.translate(_LEGAL)
    path = path[:-1] + _LAST_LEGAL.get(path[-1], path[-1])
    if path in DOTS:  # "\uf029" must not become a way up
        return component
    return _with_bytes(path) if _NO_UTF_8.search(path) else path


def _with_bytes(path: str) -> str:
    """The name with the bytes that private characters say; together they may be a character.

    A lone surrogate, which Windows lets a name have, is the three bytes of its generalised UTF-8.
    They go out as three bytes: that name opens the file as the client's own does, and the rest of
    the world can read the listing.
    """
    path = _SURROGATE.sub(_escapes_of_surrogate, path)
    return os.fsdecode(os.fsencode(path.translate(_BYTES_SAID)))


def _escapes_of_surrogate(match: re.Match[str]) -> str:
    return os.fsdecode(match[0].encode("utf-8", "surrogatepass"))


def path_to_name(path: str) -> str:
    """A path as an SMB name without a leading backslash."""
    if not _UNUSUAL_IN_PATH.search(path):
        return path.replace("/", "\\")
    return "\\".join(map(to_wire, path.split("/")))


def name_to_path(name: str) -> str:
    """The path of a name that may not say a stream.

    Raises NtError as `parse_name`, and OBJECT_NAME_INVALID for a named stream, which is what
    Windows answers on a file system without streams.
    """
    path, stream = parse_name(name)
    if stream:
        raise NtError(NtStatus.OBJECT_NAME_INVALID)
    return path


def parse_name(name: str) -> tuple[str, str | None]:
    r"""The (path, stream) of a CREATE name ([MS-SMB2] 2.2.13, [MS-FSCC] 2.1.5).

    The stream is None where the name says none, and "" for "::$DATA", a file's data.

    Raises NtError: INVALID_PARAMETER for a leading backslash ([MS-SMB2] 3.3.5.9),
    OBJECT_PATH_SYNTAX_BAD for a ".." above the root, OBJECT_NAME_INVALID for everything else that
    is no name.  One backslash at the end is let pass, as NTFS does for directories; several between
    two components are one, as for Windows and Samba: go-smb2 joins paths so.

    A ".." inside the share takes back the component before it, here, in the text: clients that pass
    on their user's text send it, and Samba serves them.  None ever reaches the file system, whose
    ".." behind a symbolic link would be another directory.
    """
    if not name:
        return "", None
    if name[0] == "\\":
        raise NtError(NtStatus.INVALID_PARAMETER)
    if len(name) >= _PATH_MAX:
        # No call of the kernel's takes it; and 15,000 components would take 8 ms (measured).
        raise NtError(NtStatus.OBJECT_NAME_INVALID)
    if _PLAIN.fullmatch(name):
        return name.replace("\\", "/"), None
    if "\\\\" in name:
        name = _BACKSLASHES.sub(r"\\", name)
    components = name.removesuffix("\\").split("\\")
    stream = None
    if ":" in components[-1]:
        components[-1], stream = _split_stream(components[-1])
    if components == [""]:  # a stream of the root itself
        return "", stream
    return "/".join(_resolved(components)), stream


def _resolved(components: list[str]) -> list[str]:
    if ".." not in components:
        return [_checked(component) for component in components]
    path: list[str] = []
    for component in components:
        if component != "..":
            path.append(_checked(component))
        elif path:
            path.pop()
        else:
            raise NtError(NtStatus.OBJECT_PATH_SYNTAX_BAD)
    return path


def _checked(component: str) -> str:
    if component in {"", "."} or ":" in component or _FORBIDDEN.search(component):
        raise NtError(NtStatus.OBJECT_NAME_INVALID)
    path = to_disk(component)
    if is_store(path):
        raise NtError(NtStatus.OBJECT_NAME_INVALID)
    if len(path) * 4 > MAXIMUM_COMPONENT and len(os.fsencode(path)) > MAXIMUM_COMPONENT:
        raise NtError(NtStatus.OBJECT_NAME_INVALID)
    return path


def is_store(component: str) -> bool:
    """Whether a name on disk is that of the server's own directory, in any case."""
    return len(component) == len(STREAM_STORE) and component.lower() == STREAM_STORE


def _split_stream(component: str) -> tuple[str, str]:
    """The (file, stream) of "file:stream", "file:stream:$DATA" and "file::$DATA"."""
    file, *rest = component.split(":")
    stream = parse_stream(rest)
    if stream is None:
        raise NtError(NtStatus.OBJECT_NAME_INVALID)
    return file, stream


def parse_stream(parts: list[str]) -> str | None:
    """The stream of "stream", "stream:$DATA" and ":$DATA", split at the colons; None: it is none.

    "directory::$INDEX_ALLOCATION" too: it says nothing that "directory" does not.
    """
    if len(parts) > 2 or (len(parts) == 2 and parts[1].upper() != "$DATA"):
        return None
    stream = parts[0]
    if (not stream and len(parts) == 1) or _FORBIDDEN_IN_STREAM.search(stream):
        return None
    if len(stream) > _LONGEST_STREAM or len(stream_to_disk(stream)) > _LONGEST_STREAM_ON_DISK:
        return None
    return stream


def stream_to_disk(stream: str) -> bytes:
    """A stream's name as an extended attribute holds it: that of the wire, in UTF-8.

    Samba writes it so too, private characters included.
    """
    return stream.encode("utf-8", "surrogatepass")


def stream_to_wire(name: bytes) -> str | None:
    """The name that was stored so; None for one that no client could say."""
    try:
        stream = name.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None
    return None if not stream or _FORBIDDEN_IN_STREAM.search(stream) else stream


@lru_cache(maxsize=1024)
def comparison_key(component: str) -> str:
    """A key that is equal for two components of paths that SMB takes for one name.

    A byte and the private character that says it are the same here, as the colon and U+F022 are:
    each is found by the other's name while that one is not there.
    """
    if not _UNUSUAL_ON_DISK.search(component):
        return fold(component)
    return fold(_said(component, _SAME))


def comparison_keys(components: list[str]) -> list[str]:
    """`comparison_key` of each; for 100,000 plain names 20 ms, one by one 130 (measured)."""
    everything = "/".join(components) + "/"  # no component has a slash
    if not _all_usual(everything):
        return [comparison_key(component) for component in components]
    return fold(everything).split("/")[:-1] if components else []


class _Upcase(dict[int, int]):
    """Windows' upcase table, learned from Unicode's as characters come.

    NTFS upcases unit by unit: one character to one character, nothing outside the first plane, so
    neither `str.upper` (sharp s to SS) nor `str.casefold` would do: they would make one name of two
    that Windows keeps apart.  Nothing beyond ASCII equals an ASCII letter either: Unicode upcases
    the dotless i and the long s into ASCII, Windows does not.
    """

    def __missing__(self, code: int) -> int:
        upper = chr(code).upper()
        single = len(upper) == 1 and code <= 0xFFFF
        up = ord(upper) if single and (code < 0x80 or ord(upper) >= 0x80) else code
        self[code] = up
        return up


_UPCASE = _Upcase()


def fold(name: str) -> str:
    """A name upcased for comparison: two names are one to SMB when their folds are equal."""
    return name.upper() if name.isascii() else name.translate(_UPCASE)
