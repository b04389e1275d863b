"""Cells of CSV files that a spreadsheet would run as a formula: written with an apostrophe, which is read away.

https://owasp.org/www-community/attacks/CSV_Injection
"""

import re

FORMULA = re.compile(r"'*[=+\-@\t\r].+", re.DOTALL)
ESCAPED = re.compile(r"'+[=+\-@\t\r].+", re.DOTALL)


def escape_formula(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula; `-` alone stays."""
    return f"'{text}" if FORMULA.fullmatch(text) else text


def unescape_formula(text: str) -> str:
    """Return the text that `escape_formula` got."""
    return text[1:] if ESCAPED.fullmatch(text) else text
