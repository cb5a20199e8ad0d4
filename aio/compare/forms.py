"""The engines as they are compared: each alone, behind the probe, and with O_DIRECT."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from aio.catalog import ENGINES, PROBE, Row, parse_spec


@dataclass(frozen=True, slots=True)
class Form:
    """A spec of aio.catalog, and options."""

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
        return self.spec.startswith(PROBE)

    @property
    def row(self) -> Row | None:
        """That of the engine, the first of a list; None: the catalogue has no such engine."""
        try:
            return ENGINES[parse_spec(self.spec).engines[0]]
        except ValueError:
            return None


def forms_of(rows: Iterable[Row]) -> tuple[Form, ...]:
    """Each engine alone, behind the probe, and with O_DIRECT if it takes that."""
    return tuple(form for row in rows for form in _forms_of(row))


def _forms_of(row: Row) -> Iterator[Form]:
    yield Form(row.name)
    yield Form(f"{PROBE}+{row.name}")
    if row.takes("direct"):
        yield Form(row.name, {"direct": 1})


FORMS = forms_of(ENGINES.values())


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
