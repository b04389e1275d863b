"""Jinja2 templates. Everything that a template inserts is escaped unless it is `Markup`."""

from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["Markup", "read_text", "render"]

ENVIRONMENT = Environment(
    loader=PackageLoader("modiste", "reporting/html_report/templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: object) -> str:
    """Render a template of the folder `templates`."""
    return ENVIRONMENT.get_template(template).render(**values)


def read_text(name: str) -> str:
    """Read a text file of this package."""
    return (resources.files("modiste") / "reporting" / "html_report" / name).read_text(encoding="utf-8")
