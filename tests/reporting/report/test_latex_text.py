"""Plain text in LaTeX."""

import pytest

from modiste.reporting.report.latex_text import escape, find_unprintable


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("50 % of R&D #1, a_b {c} $d$", r"50 \% of R\&D \#1, a\_b \{c\} \$d\$"),
        (r"C:\runs~^", r"C:\textbackslash{}runs\textasciitilde{}\textasciicircum{}"),
        ("Łukasz Żółć", r"\L{}ukasz \.{Z}\'{o}\l{}\'{c}"),
        ("3 × 3 → μ", r"3 \ensuremath{\times} 3 \ensuremath{\to} \ensuremath{\mu}"),
        ("ﬁt ½", "fit 1/2"),
        ("李", r"\cjk{李}{674E}"),
        ("ж😀", r"\allowbreak\texttt{U+0436}\allowbreak{}\allowbreak\texttt{U+1F600}\allowbreak{}"),
        ("zero\u200bwidth", "zerowidth"),
        ("distinguishable", "distinguishable"),
        ("augmentation.random_crop", r"augmentation.\allowbreak{}random\_\allowbreak{}crop"),
    ],
)
def test_any_text_is_printable_by_pdflatex(text: str, latex: str) -> None:
    """It is escaped, written as commands or formulas, transliterated, or replaced by its code points."""
    assert escape(text) == latex


def test_chinese_stays_for_xelatex() -> None:
    """Its fonts have these characters."""
    assert escape("李雷 & é“，”", with_cjk=True) == r"李雷 \& \'{e}“，”"
    assert find_unprintable("李ж", with_cjk=True) == "ж"
    assert find_unprintable("李жé× 李a") == "李ж"
