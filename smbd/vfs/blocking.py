"""Which calls may keep the event loop waiting, by the file system that a file is on.

A local file system answers from its caches.  One that asks another machine or
process (NFS, FUSE) may ask for anything: open, stat, attributes, close.  overlayfs copies a file of
a lower layer up, all of it, within the open for writing: 3 s for 1 GiB (measured).
"""

from aio.file_systems import BTRFS, EXT4, OVERLAYFS, TMPFS, XFS
from aio.mounted import Look, known_type

_LOCAL = frozenset(  # linux/magic.h, and the file systems' own sources
    (
        OVERLAYFS,
        EXT4,
        XFS,
        BTRFS,
        0xF2F52010,  # f2fs
        TMPFS,
        0x858458F6,  # ramfs
        0x2FC12FC1,  # zfs
        0xCA451A4E,  # bcachefs
        0x4D44,  # vfat
        0x2011BAB0,  # exfat
        0x5346544E,  # ntfs
        0x7366746E,  # ntfs3
        0x9660,  # isofs
        0x15013346,  # udf
        0x73717368,  # squashfs
        0xE0F5E1E2,  # erofs
        0x3434,  # nilfs
        0x3153464A,  # jfs
        0x482B,  # hfsplus
    )
)


# setxattr(2) and removexattr(2) change an inode's ctime here, as all that changes it does.
_DATED = frozenset((EXT4, XFS, BTRFS))


def asks_others(look: Look) -> bool:
    """Whether a call may go to another machine or process; yes, as long as that is not known."""
    return known_type(look) not in _LOCAL


def traits(look: Look) -> tuple[bool, bool]:
    """`asks_others`, and whether a change of a file's extended attributes shows in its ctime."""
    kind = known_type(look)
    return kind not in _LOCAL, kind in _DATED


def shows_others(kind: int | None) -> bool:
    """Whether a file system shows files of others, maybe of another machine: overlayfs.

    What is known of such a file without asking may be of yesterday.
    """
    return kind == OVERLAYFS


def open_may_wait(kind: int | None, *, write: bool) -> bool:
    """Whether opening a file whose inode is in the kernel's caches may wait.

    `kind` is the file system's, as `known_type` has it.
    """
    return kind not in _LOCAL or (write and kind == OVERLAYFS)
