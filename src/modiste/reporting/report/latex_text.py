"""Plain text in LaTeX: whatever pdfLaTeX cannot print with the fonts of every installation is transliterated."""

import re
import unicodedata

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\ensuremath{<}", ">": r"\ensuremath{>}",
    "|": r"\ensuremath{|}", '"': "''", "`": "`{}", "\xa0": "~",
}  # fmt: skip
"""Characters that mean something else to LaTeX, or look like something else."""

MATH = {
    "×": "\\times", "±": "\\pm", "−": "-", "→": "\\to", "←": "\\leftarrow", "≤": "\\le", "≥": "\\ge", "≈": "\\approx",
    "∞": "\\infty", "·": "\\cdot", "°": "{}^\\circ", "²": "^2", "³": "^3", "µ": "\\mu", "…": "\\ldots",
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

LONG_WORD = 14
"""Characters of a word in the narrowest column of a table."""


def escape(text: str, all_characters: bool = False) -> str:
    """Return plain text as LaTeX.

    Args:
        text: any characters.
        all_characters: keep letters and signs beyond ASCII, as for XeLaTeX with fonts that have them.
    """
    return " ".join(_escape_word(word, all_characters) for word in text.replace("\n", " ").split(" "))


def _escape_word(word: str, all_characters: bool) -> str:
    if len(word) <= LONG_WORD:
        return _escape_characters(word, all_characters)
    parts = [part[start : start + LONG_WORD] for part in BREAKS.split(word) for start in range(0, len(part), LONG_WORD)]
    return "\\allowbreak{}".join(_escape_characters(part, all_characters) for part in parts)


def _escape_characters(text: str, all_characters: bool) -> str:
    return "".join(_escape_character(character, all_characters) for character in unicodedata.normalize("NFC", text))


def _escape_character(character: str, all_characters: bool) -> str:
    if character in SPECIAL:
        return SPECIAL[character]
    if " " <= character <= "~":
        return character
    if character in MATH:
        return f"\\ensuremath{{{MATH[character]}}}"
    if all_characters and character.isprintable():
        return character
    return LETTERS.get(character) or _transliterate(character)


def _transliterate(character: str) -> str:
    """Return a letter with its accents; a character that is none in its compatible form, or as its code point."""
    if character in LETTERS or not character.isprintable():
        return ""
    base, *accents = list(unicodedata.normalize("NFKD", character))
    if not all(map(unicodedata.combining, accents)):
        return "".join(_escape_character(each, all_characters=False) for each in (base, *accents))
    text = LETTERS.get(base, base if " " <= base <= "~" else "")
    if not text:
        return f"\\texttt{{U+{ord(character):04X}}}"
    for accent in accents:
        if accent in ACCENTS:
            text = f"\\{ACCENTS[accent]}{{{text}}}"
    return text
