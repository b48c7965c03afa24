"""Settings of the site (Sphinx, myst-nb, furo); tests/tools/build_site.py stages and builds it."""

import re

from docutils import nodes
from docutils.utils.math import latex2mathml

import synthkit

project = "synthkit"
author = "The synthkit authors"
version = release = synthkit.__version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "extra"]
html_extra_path = ["extra"]  # the notebooks to download
nb_execution_mode = "off"  # pages show the outputs that the notebooks store
nb_merge_streams = True
nb_render_markdown_format = "myst"
myst_enable_extensions = ["dollarmath", "colon_fence", "amsmath"]
myst_heading_anchors = 3
suppress_warnings = ["ref.python"]  # a word of a type that two classes have, such as Report

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
napoleon_google_docstring, napoleon_numpy_docstring, napoleon_use_ivar = True, False, True

html_theme = "furo"
html_title = f"synthkit {version}"
html_static_path = ["_static"]
html_css_files = ["synthkit.css"]
html_math_renderer = "mathml"
html_copy_source = html_show_sphinx = html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}
pygments_style, pygments_dark_style = "friendly", "github-dark"

# What docutils' converter does not know, in words that it does.
SPELLINGS = (
    (r"\\[bB]ig[lr]?(?![a-zA-Z])", ""),  # a browser stretches brackets by itself
    (r"\\dots(?![a-zA-Z])", r"\\ldots"),
    (r"\\tfrac(\d)(\d)", r"\\tfrac{\1}{\2}"),
)


def mathml(tex: str, block: bool) -> str:
    """The equation as MathML, which browsers draw without a script."""
    for pattern, spelling in SPELLINGS:
        tex = re.sub(pattern, spelling, tex)
    element = latex2mathml.tex2mathml(tex, as_block=block)
    return element if isinstance(element, str) else element.toxml()


def draw(self, node) -> None:
    """Write an equation, inline or displayed."""
    block = isinstance(node, nodes.math_block)
    tag = "div" if block else "span"
    self.body.append(f'<{tag} class="math">{mathml(node.astext(), block)}</{tag}>')
    raise nodes.SkipNode


def as_rst(app, what, name, thing, options, lines: list[str]) -> None:
    """Make a docstring, which is plain text with `code`, what Sphinx reads: in place."""
    code = re.compile(r"(`+[^`]+`+)")
    parts = code.split("\n".join(lines))
    plain = [part if part[:1] == "`" else part.replace("|", r"\|") for part in parts]
    marked = [re.sub(r"^`+|`+$", "``", part) if part[:1] == "`" else part for part in plain]
    lines[:] = "".join(marked).split("\n")


def setup(app) -> dict:
    """Make the renderer of equations known, and how docstrings are written."""
    app.connect("autodoc-process-docstring", as_rst, priority=400)  # before napoleon
    app.add_html_math_renderer(
        "mathml", inline_renderers=(draw, None), block_renderers=(draw, None)
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
