"""The campaigns: a module each, which catalog.py lists."""
