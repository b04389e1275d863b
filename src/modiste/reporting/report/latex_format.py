"""A report as LaTeX, with its figures as PDF files beside it: for pdfLaTeX; in Chinese for XeLaTeX with ctex."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from modiste.reporting import canvas
from modiste.reporting.report import inline
from modiste.reporting.report.document import Block, Document, Figure, Formula, Heading, Paragraph, Table, column_widths
from modiste.reporting.report.inline import InlineFormat
from modiste.reporting.report.latex_text import escape

PREAMBLE = {
    # \cjk{character}{code point}: names in Chinese, Japanese or Korean, which pdfLaTeX cannot print
    "en": r"""% Compile twice: pdflatex FILE. Debian's texlive-latex-base is enough. Chinese,
% Japanese and Korean names need xelatex FILE with ctex, in Debian's texlive-xetex,
% texlive-lang-chinese and texlive-fonts-recommended.
\documentclass[a4paper]{article}
\ifdefined\XeTeXversion
\IfFileExists{ctex.sty}{\usepackage[scheme=plain]{ctex}}{}
\newcommand{\cjk}[2]{#1}
\else
\IfFileExists{lmodern.sty}{\usepackage[T1]{fontenc}\usepackage{lmodern}}{}
\usepackage[utf8]{inputenc}
\newcommand{\cjk}[2]{\allowbreak\texttt{U+#2}\allowbreak{}}
\fi""",
    "zh": r"""% Compile twice: xelatex FILE. It needs ctex, in Debian's texlive-xetex,
% texlive-lang-chinese and texlive-fonts-recommended.
\documentclass[a4paper]{ctexart}""",
}
PACKAGES = r"""\usepackage[margin=22mm]{geometry}
\usepackage{amsmath,amssymb,array,graphicx,longtable}
\usepackage[hidelinks]{hyperref}
% in Debian's texlive-latex-extra: figures and tables stay in their sections
\IfFileExists{placeins.sty}{\usepackage[section]{placeins}}{\newcommand{\FloatBarrier}{}}
\setlength{\tabcolsep}{3pt}
\setlength{\abovecaptionskip}{6pt}
\setlength{\belowcaptionskip}{6pt}
\setlength{\emergencystretch}{3em}
\renewcommand{\topfraction}{0.9}
\renewcommand{\bottomfraction}{0.9}
\renewcommand{\textfraction}{0.05}
\renewcommand{\floatpagefraction}{0.8}
\newcolumntype{L}[1]{>{\raggedright\arraybackslash}p{#1}}
\newcolumntype{R}[1]{>{\raggedleft\arraybackslash}p{#1}}"""

TAGS = {
    "b": (r"\textbf{", "}"),
    "em": (r"\emph{", "}"),
    "i": (r"\emph{", "}"),
    "code": (r"\texttt{", "}"),
} | dict.fromkeys(("span.own", "span.published"), (r"\emph{", "}"))

MAX_FLOATING_ROWS = 14
"""Of a table that is not broken between pages."""

MAX_HEIGHT = 0.38
"""Of a figure, as a fraction of the height of the text, so that there is room for text beside it."""


def to_latex(document: Document, figures: Mapping[str, str]) -> str:
    """Return the file.

    Args:
        document: the report.
        figures: address of each figure's PDF file, relative to the file, by its key.
    """
    write = partial(escape, with_cjk=document.lang == "zh")
    kinds = {"fig": document.terms["figure"], "tab": document.terms["table"]}
    space = "" if document.lang == "zh" else "~"
    style = InlineFormat(
        escape=write,
        tags=TAGS,
        refer=lambda key: f"{kinds[key[:3]]}{space}\\ref{{{key}}}",
        cite=lambda key: f"\\cite{{{key}}}",
        escape_code=write,
    )
    return "\n\n".join(_list_parts(document, figures, style)) + "\n"


def _list_parts(document: Document, figures: Mapping[str, str], style: InlineFormat) -> Iterator[str]:
    yield f"{PREAMBLE[document.lang]}\n{PACKAGES}"
    authors = " \\and ".join(map(style.escape, document.authors))
    yield f"\\title{{{style.escape(document.title)}}}\n\\author{{{authors}}}\n\\date{{{style.escape(document.course)}}}"
    yield "\\begin{document}\n\\maketitle"
    if document.abstract:
        paragraphs = "\n\n".join(inline.convert(text, style) for text in document.abstract)
        yield f"\\begin{{abstract}}\n{paragraphs}\n\\end{{abstract}}"
    for section in document.sections:
        yield f"\\section{{{inline.convert(section.title, style)}}}"
        yield from (_write_block(block, figures, style) for block in section.blocks)
    if keys := document.citations():
        items = [f"\\bibitem{{{key}}} {inline.convert(document.references[key], style)}\n" for key in keys]
        # after all figures and tables, which otherwise float into it
        yield f"\\clearpage\n\\begin{{thebibliography}}{{99}}\n{''.join(items)}\\end{{thebibliography}}"
    yield f"\\bigskip\\noindent{{\\footnotesize {inline.convert(document.terms['foot'], style)}}}\n\n\\end{{document}}"


def _write_block(block: Block, figures: Mapping[str, str], style: InlineFormat) -> str:
    match block:
        case Paragraph():
            text = inline.convert(block.text, style)
            return f"\\begin{{quote}}\\small {text}\\end{{quote}}" if block.is_note else text
        case Heading():
            return f"\\subsection*{{{inline.convert(block.text, style)}}}"
        case Formula():
            return f"\\[ {block.tex} \\]"
        case Figure():
            return _write_figure(block, figures[block.key], style)
        case Table():
            return _write_table(block, style)


def _write_figure(figure: Figure, address: str, style: InlineFormat) -> str:
    width = min(1.0, figure.plot.get_figwidth() / canvas.PAGE_WIDTH)
    size = f"width={width:.2f}\\linewidth,height={MAX_HEIGHT}\\textheight,keepaspectratio"
    caption = inline.convert(figure.caption, style)
    return (
        f"\\begin{{figure}}[htbp]\n\\centering\n\\includegraphics[{size}]{{{address}}}\n"
        f"\\caption{{{caption}}}\\label{{{figure.key}}}\n\\end{{figure}}"
    )


def _write_table(table: Table, style: InlineFormat) -> str:
    """Return a table that floats, or a long one, which may be broken between pages, where its head is repeated."""
    columns = "".join(
        f"{side.upper()}{{\\dimexpr {width:.4f}\\linewidth-2\\tabcolsep}}"
        for side, width in zip(table.alignment, column_widths(table), strict=True)
    )
    rows = [_write_row(cells, style, is_bold=source == "own") for source, cells in table.rows]
    if table.has_total:
        rows.insert(-1, "\\hline")
    head = f"\\hline\n{_write_row(table.head, style, is_bold=True)}\n\\hline"
    caption = f"\\caption{{{inline.convert(table.caption, style)}}}\\label{{{table.key}}}"
    if len(rows) <= MAX_FLOATING_ROWS:
        body = "\n".join([head, *rows, "\\hline"])
        content = f"\\begin{{tabular}}{{{columns}}}\n{body}\n\\end{{tabular}}"
        return f"\\begin{{table}}[htbp]\n\\centering\\footnotesize\n{caption}\n{content}\n\\end{{table}}"
    body = "\n".join([f"{caption}\\\\", head, "\\endfirsthead", head, "\\endhead", *rows, "\\hline"])
    return f"\\FloatBarrier\n{{\\footnotesize\n\\begin{{longtable}}{{{columns}}}\n{body}\n\\end{{longtable}}}}"


def _write_row(cells: Sequence[object], style: InlineFormat, is_bold: bool) -> str:
    texts = [inline.convert(cell, style) for cell in cells]
    return " & ".join(f"\\textbf{{{text}}}" if is_bold and text else text for text in texts) + " \\\\"
