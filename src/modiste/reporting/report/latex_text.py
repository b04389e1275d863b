"""Plain text in LaTeX: whatever pdfLaTeX cannot print with the fonts of every installation is transliterated."""

import re
import unicodedata

from modiste.reporting.report.document import MAX_WORD

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\ensuremath{<}", ">": r"\ensuremath{>}",
    "|": r"\ensuremath{|}", '"': "''", "`": "`{}", "\xa0": "~",
}  # fmt: skip
"""Characters that mean something else to LaTeX, or look like something else."""

MATH = {
    "×": "\\times", "±": "\\pm", "−": "-", "→": "\\to", "←": "\\leftarrow", "≤": "\\le", "≥": "\\ge", "≈": "\\approx",
    "∞": "\\infty", "√": "\\surd", "·": "\\cdot", "°": "{}^\\circ", "²": "^2", "³": "^3", "µ": "\\mu", "…": "\\ldots",
    "α": "\\alpha", "β": "\\beta", "γ": "\\gamma", "δ": "\\delta", "ε": "\\epsilon", "η": "\\eta", "λ": "\\lambda",
    "μ": "\\mu", "π": "\\pi", "σ": "\\sigma", "τ": "\\tau", "φ": "\\phi", "χ": "\\chi", "ω": "\\omega",
}  # fmt: skip
"""Characters of formulas."""

LETTERS = {
    "ß": "\\ss{}", "æ": "\\ae{}", "Æ": "\\AE{}", "œ": "\\oe{}", "Œ": "\\OE{}", "ø": "\\o{}", "Ø": "\\O{}", "ł": "\\l{}",
    "Ł": "\\L{}", "ı": "\\i{}", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "“": "``", "”": "''",
    "„": ",,", "‘": "`", "’": "'", "–": "--", "—": "---", "•": "\\textbullet{}",
    "⁄": "/", "\u200b": "", "\u00ad": "",
}  # fmt: skip
"""Letters and punctuation."""

ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip
"""Commands of combining accents; others are left out."""

BREAKS = re.compile(r"(?<=[/._=:,+-])(?=\w)")
"""Where a long word may be broken, and is not by hyphenation."""

PUNCTUATION = "“”‘’…—·"
"""Signs that Chinese, Japanese and Korean share with other scripts."""

LONG_WORD = 14
"""Characters of a word in the narrowest column of a table; one without signs may have `document.MAX_WORD`."""


def find_unprintable(text: str, with_cjk: bool = False) -> str:
    """Return the characters of a text that are printed as code points, each once; arguments as for `escape`."""
    return "".join(each for each in dict.fromkeys(text) if f"{ord(each):04X}}}" in _escape_character(each, with_cjk))


def escape(text: str, with_cjk: bool = False) -> str:
    """Return plain text as LaTeX.

    Args:
        text: any characters.
        with_cjk: keep Chinese, Japanese and Korean ones, and punctuation, for XeLaTeX with ctex; otherwise they are
            arguments of the command cjk.
    """
    return " ".join(_escape_word(word, with_cjk) for word in text.replace("\n", " ").split(" "))


def _escape_word(word: str, with_cjk: bool) -> str:
    if len(word) <= LONG_WORD:
        return _escape_characters(word, with_cjk)
    parts = [part[start : start + MAX_WORD] for part in BREAKS.split(word) for start in range(0, len(part), MAX_WORD)]
    return "\\allowbreak{}".join(_escape_characters(part, with_cjk) for part in parts)


def _escape_characters(text: str, with_cjk: bool) -> str:
    return "".join(_escape_character(character, with_cjk) for character in unicodedata.normalize("NFC", text))


def _escape_character(character: str, with_cjk: bool) -> str:
    if character in SPECIAL:
        return SPECIAL[character]
    if " " <= character <= "~":
        return character
    if character in MATH:
        return f"\\ensuremath{{{MATH[character]}}}"
    if with_cjk and (_is_cjk(character) or character in PUNCTUATION):
        return character
    return LETTERS.get(character) or _transliterate(character)


def _is_cjk(character: str) -> bool:
    """Return whether a character is Chinese, Japanese or Korean; pictures, which are as wide, are not."""
    return unicodedata.east_asian_width(character) in "WF" and unicodedata.category(character) != "So"


def _transliterate(character: str) -> str:
    """Return a letter with its accents; a character that is none in its compatible form, or as its code point."""
    if character in LETTERS or not character.isprintable():
        return ""
    base, *accents = list(unicodedata.normalize("NFKD", character))
    if not all(map(unicodedata.combining, accents)):
        return "".join(_escape_character(each, with_cjk=False) for each in (base, *accents))
    text = LETTERS.get(base, base if " " <= base <= "~" else "")
    if not text:
        code = f"{ord(character):04X}"
        is_cjk = _is_cjk(character)
        return f"\\cjk{{{character}}}{{{code}}}" if is_cjk else f"\\allowbreak\\texttt{{U+{code}}}\\allowbreak{{}}"
    for accent in accents:
        if accent in ACCENTS:
            text = f"\\{ACCENTS[accent]}{{{text}}}"
    return text
