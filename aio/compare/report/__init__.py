"""A study's document for people: text for a terminal, and a page with plots."""

from aio.compare.report.html import page
from aio.compare.report.terminal import text

__all__ = ["page", "text"]
