"""Sphinx builds the site from the pages beside this file: `make docs`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import metadata
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

import tlskit  # what is documented is the installed package

project = "tlskit"
author = "the tlskit authors"
copyright = "the tlskit authors"
version = release = tlskit.__version__

SOURCES = next(
    f"{url}/blob/{version}"
    for name, _, url in (
        line.partition(", ") for line in metadata("tlskit").get_all("Project-URL", [])
    )
    if name == "Source"
)

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
root_doc = "index"
source_suffix = {".md": "markdown"}
smartquotes_action = "D"  # dashes, and no quotes: b"" in a docstring is code
default_role = "literal"  # `x` in a docstring is code, as in Markdown
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4
myst_url_schemes = ("http", "https", "mailto")

toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_preserve_defaults = True
napoleon_use_rtype = False
intersphinx_mapping: dict[str, tuple[str, None]] = {}

html_theme = "furo"
html_title = "tlskit"
html_static_path = ["_static"]
html_css_files = ["tlskit.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b6e4f", "color-brand-content": "#0b6e4f"},
    "dark_css_variables": {"color-brand-primary": "#5fd3a6", "color-brand-content": "#5fd3a6"},
}


class Translator(HTML5Translator):
    """Keeps tables narrow: long names may break, and the name of a test becomes a link to it."""

    def visit_literal(self, node: nodes.literal) -> None:
        text = node.astext()
        if len(text) <= 14 or not any(isinstance(above, nodes.entry) for above in _above(node)):
            return super().visit_literal(node)
        if text.startswith("tests/"):
            where, name = f"{SOURCES}/{text.partition('::')[0]}", self.attval(text)
            self.body.append(
                f'<a class="reference external" href="{where}" title="{name}">test</a>'
            )
        else:
            pieces = map(self.encode, re.split(r"(?<=[._/:=,])(?=\w)", text))
            self.body.append(f'<code class="docutils literal">{"<wbr>".join(pieces)}</code>')
        raise nodes.SkipNode


def _above(node: nodes.Node) -> Iterator[nodes.Node]:
    while node.parent is not None:
        node = node.parent
        yield node


def no_type(
    _app: Sphinx, what: str, _name: str, _object: Any, _options: Any, lines: list[str]
) -> None:
    """Keep napoleon from reading what stands before a colon as an attribute's type."""
    if what in ("attribute", "data", "property"):
        lines.insert(0, "")


def no_result(_app: Sphinx, _domain: str, kind: str, content: nodes.Element) -> None:
    """Drop the return type of a class, which autodoc takes from its `__new__`: it is the class."""
    if kind in ("class", "exception"):
        for fields in (node for node in content.children if isinstance(node, nodes.field_list)):
            for field in list(fields.children):
                if field[0].astext() == "rtype":  # type: ignore[index]
                    fields.remove(field)
            if not fields.children:
                content.remove(fields)


def setup(app: Sphinx) -> dict[str, Any]:
    app.set_translator("html", Translator)
    app.connect("autodoc-process-docstring", no_type, priority=400)  # before napoleon
    app.connect("object-description-transform", no_result, priority=900)  # after autodoc
    return {"parallel_read_safe": True, "parallel_write_safe": True}
