"""A study's document as text and as a page."""

from aio.compare.report.html import page
from aio.compare.report.terminal import text

__all__ = ["page", "text"]
