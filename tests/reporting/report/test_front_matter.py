"""The texts that a user writes for a report."""

from pathlib import Path

import pytest

from modiste.errors import InputError
from modiste.reporting.report import front_matter
from modiste.reporting.report.front_matter import FrontMatter


def test_the_file_in_the_current_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One author may be a text; without the file everything is empty."""
    monkeypatch.chdir(tmp_path)
    assert front_matter.read() == FrontMatter()
    Path("report.toml").write_text('title = "T"\nauthors = "Ana"\nabstract = """\nOne\nline.\n\nTwo."""\n')
    written = front_matter.read()
    assert (written.title, written.authors) == ("T", ("Ana",))
    assert front_matter.paragraphs(written.abstract) == ["One line.", "Two."]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('autors = "Ana"', "Did you mean authors"),
        ("title = 3", "must be a text"),
        ("authors = [3]", "a text or a list of texts"),
        ("title = ", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """The error names the file and what is wrong in it."""
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        front_matter.read(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """If it was named."""
    with pytest.raises(InputError, match="cannot be read"):
        front_matter.read(tmp_path / "none.toml")
