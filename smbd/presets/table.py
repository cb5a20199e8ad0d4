"""All presets: a row each."""

from smbd.config import schema
from smbd.presets import trees
from smbd.presets.preset import Preset

_KIB = 1024
_LARGEST = {"max_read": 8 * _KIB * _KIB, "max_write": 8 * _KIB * _KIB}
_SMALLEST = {"max_read": 64 * _KIB, "max_write": 64 * _KIB, "max_transact": 64 * _KIB}

_ALL = (
    Preset(
        "windows-11",
        "like Windows 11 24H2: signing is required, SMB 2.0.2 to 3.1.1, leases, streams, 8 MiB",
        server={"name": "DESKTOP-SMBD01", "signing": "required", "encryption": "off"},
        limits=_LARGEST,
    ),
    Preset(
        "samba",
        "like Samba by default: signs for those that want it, no named streams, 8 MiB",
        server={"name": "SAMBA", "signing": "enabled", "encryption": "off"},
        limits=_LARGEST,
        share={"streams": False},
    ),
    Preset(
        "old-nas",
        "an old NAS: SMB 2.0.2 and nothing else, 64 KiB at once, unsigned, no named streams",
        server={
            "name": "NAS",
            "max_dialect": "2.0.2",
            "signing": "enabled",
            "multichannel": False,
        },
        limits=_SMALLEST,
        share={"streams": False},
    ),
    Preset(
        "encrypted",
        "everything is encrypted: a client without SMB 3 or encryption is refused",
        server={"min_dialect": "3.0", "encryption": "required"},
    ),
    Preset(
        "guest",
        "a share for everybody: guests get in without a password, and sign nothing",
        server={"signing": "enabled"},
        share={"guest": True},
    ),
    Preset(
        "many-shares",
        "50 more shares, share01 to share50, each with a file name.txt that has its name",
        tree=trees.many_shares,
        shares=trees.SHARES,
    ),
    Preset(
        "odd-names",
        "names in many scripts, composed and decomposed, 255 characters long, illegal in SMB",
        tree=trees.names,
    ),
    Preset(
        "deep-tree",
        f"{trees.DEPTH} folders below each other: a path of 2,000 characters",
        tree=trees.deep,
    ),
    Preset(
        "many-files",
        "10,000 files in one folder, many: a listing takes several answers",
        tree=trees.many_files,
        large=True,
    ),
    Preset(
        "read-only",
        "nothing can be changed: ACCESS_DENIED, and a volume that says it is read-only",
        share={"read_only": True},
    ),
    Preset(
        "full",
        "a full disk, 1 MiB in memory: DISK_FULL for all that grows; remove filler.bin for room",
        memory=1 << 20,
        fills=True,
    ),
    Preset(
        "one-credit",
        "one credit at a time: one request, its answer, then the next; 64 KiB at once",
        limits={"credits": 1, **_SMALLEST},
    ),
    Preset(
        "small-reads",
        "a READ gives 4 KiB at most, however much was asked for",
        faults=("READ short=4k",),
    ),
    Preset(
        "slow",
        "a slow line: 256 KiB a second in each direction, and 50 ms for each request",
        faults=("rate=256k latency=50ms",),
    ),
    Preset(
        "flaky",
        "one READ or WRITE in 20 is answered IO_TIMEOUT, and one in 100 ends the connection (RST)",
        faults=(
            "READ,WRITE probability=0.05 seed=1 status=IO_TIMEOUT",
            "READ,WRITE probability=0.01 seed=2 drop=reset",
        ),
    ),
)

PRESETS = {preset.name: preset for preset in _ALL}


def find(name: str) -> Preset:
    """The preset of that name; ValueError says what there is."""
    try:
        return PRESETS[name]
    except KeyError:
        advice = schema.nearest(str(name), PRESETS) or f"; known: {', '.join(PRESETS)}"
        raise ValueError(f'preset: there is no "{name}"{advice}') from None
