"""What runs write into this folder's README.md and beside it: tables between marks, and plots."""

import re
from pathlib import Path

PAGE = Path(__file__).with_name("README.md")


def written(name: str, content: str, page: Path = PAGE) -> None:
    """Put a part between its marks.  ValueError: the page has no such marks."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text, count = re.subn(
        f"(?<={re.escape(begin)}\n).*?(?={re.escape(end)})",
        lambda _: f"\n{content.strip()}\n\n",
        page.read_text(),
        flags=re.DOTALL,
    )
    if not count:
        raise ValueError(f"{page} has no marks for the {name}")
    page.write_text(text)


def drawn(name: str, svg: str, page: Path = PAGE) -> str:
    """Put a plot beside the page; the line of Markdown that shows it."""
    page.with_name(f"{name}.svg").write_text(svg)
    return f"![{name}]({name}.svg)"
