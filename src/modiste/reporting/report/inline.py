"""The texts of a report in other formats: a small part of HTML is read, anything else is text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class InlineFormat:
    """How a format writes texts.

    Args:
        escape: plain text -> text of the format.
        tags: what begins and ends a tag, by its name or, for a span, `span.CLASS`.
        refer: key of a figure or table -> reference to it.
        cite: key of an entry -> citation.
        escape_code: as `escape`, inside of a code tag.
    """

    escape: Callable[[str], str]
    tags: Mapping[str, tuple[str, str]]
    refer: Callable[[str], str]
    cite: Callable[[str], str]
    escape_code: Callable[[str], str]


def convert(text: object, style: InlineFormat) -> str:
    """Convert a text to a format; what is not `Markup` is plain text."""
    converter = _Converter(style)
    converter.feed(str(Markup.escape(text)))  # a str, as the methods of Markup escape their arguments
    converter.close()
    return "".join(converter.parts)


class _Converter(HTMLParser):
    def __init__(self, style: InlineFormat) -> None:
        super().__init__(convert_charrefs=True)
        self.style = style
        self.parts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.open.append(f"{tag}.{values['class']}" if "class" in values else tag)
        if tag == "a":
            self.parts.append(self.style.refer((values["href"] or "").removeprefix("#")))
        elif tag != "cite":
            self.parts.append(self.style.tags[self.open[-1]][0])

    def handle_endtag(self, tag: str) -> None:
        name = self.open.pop()
        if tag not in ("a", "cite"):
            self.parts.append(self.style.tags[name][1])

    def handle_data(self, data: str) -> None:
        writers = {"cite": self.style.cite, "code": self.style.escape_code}
        write = writers.get(self.open[-1] if self.open else "", self.style.escape)
        self.parts.append(write(data))
