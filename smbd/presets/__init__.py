"""Odd servers by name, for those who write clients: `tsmbd presets` lists them."""

from smbd.presets.place import Memory, is_in_memory, place
from smbd.presets.preset import Preset
from smbd.presets.table import PRESETS, find

__all__ = ["PRESETS", "Memory", "Preset", "find", "is_in_memory", "place"]
