"""The engines as they are compared: each alone, and behind the probe."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Form:
    """What to open: a spec of aio.catalog and its options."""

    spec: str
    options: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How tables and reports call it: "uring direct", "nowait+threads inline_limit=65536"."""
        options = (
            name if value == 1 else f"{name}={value}" for name, value in self.options.items()
        )
        return " ".join((self.spec, *options))

    @property
    def probe(self) -> bool:
        """Whether the page cache is asked first."""
        return self.spec.startswith("nowait")


FORMS = (
    Form("sync"),
    Form("nowait+sync"),
    Form("threads"),
    Form("nowait+threads"),
    Form("libaio"),
    Form("nowait+libaio"),
    Form("libaio", {"direct": 1}),
    Form("uring"),
    Form("nowait+uring"),
    Form("uring", {"direct": 1}),
)


def form_named(name: str) -> Form:
    """The form that a table or a document names so; ValueError if its options are no numbers."""
    spec, *options = name.split(" ")
    return Form(spec, dict(map(_option, options)))


def _option(text: str) -> tuple[str, int]:
    name, equals, value = text.partition("=")
    if not equals:
        return name, 1
    if not value.isdecimal():
        raise ValueError(f"{name} is a whole number, not {value!r}")
    return name, int(value)
