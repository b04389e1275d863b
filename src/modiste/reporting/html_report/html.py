"""Small pieces of HTML. What is no `Html` yet is escaped, so a name or a remark can say what it likes."""

import base64
from collections.abc import Iterable, Sequence
from html import escape


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def safe(value: object) -> Html:
    """Turn text into markup that shows it as it stands; markup stays."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def join(parts: Iterable[object]) -> Html:
    """Put pieces one after the other."""
    return Html("\n".join(safe(part) for part in parts))


def tag(name: str, *parts: object, **attributes: str) -> Html:
    """Make an element; `class_` is its class."""
    written = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{written}>{join(parts)}</{name}>")


def table(
    head: Sequence[object], rows: Iterable[Sequence[object]], marked: Iterable[int] = (), kind: str = "plain"
) -> Html:
    """Make a table that scrolls sideways where the page is narrow.

    Args:
        head: titles of the columns.
        rows: the cells; the first of each row is its title.
        marked: places of rows that stand out.
        kind: its class: plain, or figures for columns of numbers.
    """
    stand_out = set(marked)
    titles = tag("tr", *(tag("th", title, scope="col") for title in head))
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            *(tag("td", cell) for cell in row[1:]),
            **({"class_": "ours"} if place in stand_out else {}),
        )
        for place, row in enumerate(rows)
    ]
    return tag(
        "div", tag("table", tag("thead", titles), tag("tbody", *body), class_=kind), class_="scroll", tabindex="0"
    )


def picture(png: bytes, alt: str, kind: str = "") -> Html:
    """Make an image that carries its own bytes."""
    data = base64.b64encode(png).decode("ascii")
    return Html(f'<img class="{escape(kind)}" alt="{escape(alt)}" src="data:image/png;base64,{data}">')


def figure(content: Html, caption: object) -> Html:
    """Make a figure with its caption."""
    return tag("figure", content, tag("figcaption", caption))


def details(title: object, *parts: object) -> Html:
    """Make a part that opens when its title is touched."""
    return tag("details", tag("summary", title), *parts)
