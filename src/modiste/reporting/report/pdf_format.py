"""A report as PDF, printed by WeasyPrint (extra `pdf`) from the page for paper."""

from modiste.errors import InputError
from modiste.reporting.report.document import Document
from modiste.reporting.report.html_format import to_print_html

NEEDS_PANGO = (
    "WeasyPrint cannot find the library Pango, which a PDF needs ({reason}). Install it (Debian: apt install "
    "libpango-1.0-0 libpangoft2-1.0-0; macOS: brew install pango), or use --format html and print the page."
)


def to_pdf(document: Document) -> bytes:
    """Return the file.

    Raises:
        ModuleNotFoundError: WeasyPrint is not installed.
        InputError: its library Pango is not.
    """
    try:
        import weasyprint
    except OSError as error:
        raise InputError(NEEDS_PANGO.format(reason=str(error).splitlines()[0])) from error
    content: bytes = weasyprint.HTML(string=to_print_html(document)).write_pdf()
    return content
