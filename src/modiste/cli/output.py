"""What several commands print: JSON on standard output, and lines of progress on standard error."""

import json
import shlex
import sys
from typing import Any

import click

from modiste.inference.prediction import escape_json


def print_json(value: Any, indent: int | None = None) -> None:
    r"""Print a value as one JSON document that is valid in the encoding of standard output.

    Characters that the encoding lacks, and those that a terminal would act upon, become JSON escapes
    (`\ud83d\udc57`); bytes of file names that are not valid text become U+FFFD, because strict JSON readers reject
    lone surrogates. NaN and infinity are a ValueError.
    """
    text = escape_json(json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False))
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), indent=indent)
    click.echo(text)


def log(line: str) -> None:
    """Print a line on standard error."""
    click.echo(line, err=True)


def typed_command() -> str:
    """Return the command that was typed, for a results file."""
    return shlex.join(["modiste", *sys.argv[1:]])
