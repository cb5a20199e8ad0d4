"""What is in the folders of presets."""

import os
import unicodedata

from smbd.content import Entry, File, Tree

SHARES = tuple(f"share{number:02}" for number in range(1, 51))
FILES = 10_000
DEPTH = 100  # folders below each other, with names of 19 characters: 2,000 in all
_DEEPEST = "at-the-end.txt"

# A name on the disk, and why a client may trip over it.
_NAMES = {
    "plain.txt": "ASCII",
    "Grüße aus Köln.txt": "Latin letters, composed (NFC)",
    unicodedata.normalize("NFD", "Ångström.txt"): "Latin letters, decomposed (NFD)",
    unicodedata.normalize("NFC", "Ångström.txt"): "the same to the eye, composed (NFC)",
    "日本語のファイル.txt": "Japanese",
    "한국어.txt": "Korean",
    "Привет, мир.txt": "Cyrillic",
    "مرحبا.txt": "Arabic: right to left",
    "שלום.txt": "Hebrew: right to left",
    "👩‍👩‍👧‍👦 family.txt": "emoji beyond the BMP (two UTF-16 units each), joined",
    "zero\u200bwidth.txt": "a space of no width within",
    "\ufeffbom.txt": "begins with a byte order mark",
    "İstanbul \u0131I.txt": "letters whose case depends on the language",
    "STRASSE straße.txt": "a letter whose upper case is two",
    "a+b&c=d%20[1]{2}~^.txt": "characters that URLs and shells know",
    "it's $HOME `here`.txt": "quotes of shells",
    "-rf": "like an option",
    " leading space.txt": "begins with a space",
    "trailing space ": "ends with a space: U+F028 on the wire",
    "trailing dot.": "ends with a period: U+F029 on the wire",
    "colon:question?star*.txt": "characters that SMB names cannot hold: U+F02x on the wire",
    "back\\slash.txt": "a backslash: U+F026 on the wire",
    "tab\tand\nnewline.txt": "control characters: U+F009 and U+F00A on the wire",
    os.fsdecode(b"latin-1 \xe4\xf6\xfc.txt"): "bytes that are no UTF-8: U+F0E4 and so on",
    ".hidden": "begins with a period: HIDDEN",
    "CON.txt": "a device's name to Windows",
    "nul": "a device's name to Windows",
    "name~1.txt": "looks like a short name",
    "x" * 251 + ".txt": "255 characters, as long as names are",
    "ä" * 125 + ".txt": "254 bytes of UTF-8",
    "👍" * 62 + ".txt": "252 bytes of UTF-8, 128 units of UTF-16",
}


def names() -> Tree:
    """A file for each odd name; it says what is odd."""
    tree: dict[str, Entry] = {name: f"{why}\n" for name, why in _NAMES.items()}
    tree["Büro für Größen"] = {"Übergröße": {"ключ": "in folders of such names\n"}}
    return tree


def deep() -> Tree:
    """A file below `DEPTH` folders."""
    tree: Tree = {_DEEPEST: f"below {DEPTH} folders\n"}
    for level in range(DEPTH, 0, -1):
        tree = {f"folder-at-level-{level:03}": tree}
    return tree


def many_files() -> Tree:
    """`FILES` files in one folder, each with its own number."""
    return {"many": {f"file{number:05}.txt": f"{number}\n" for number in range(1, FILES + 1)}}


def many_shares() -> Tree:
    """A folder for each share, with a file that says which one it is."""
    return {name: {"name.txt": f"{name}\n"} for name in SHARES}


def pieces() -> Tree:
    """Some data to read in pieces: every four bytes say where they are."""
    data = b"".join(at.to_bytes(4, "big") for at in range(0, 1 << 20, 4))
    return {"1 MiB.bin": data, "empty.bin": File(), "large.bin": File(size=5 << 30)}
