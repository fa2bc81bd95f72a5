"""Sphinx builds the site from the pages beside this file: `make docs`."""

from __future__ import annotations

import tlskit  # what is documented is the installed package

project = "tlskit"
author = "the tlskit authors"
copyright = "the tlskit authors"
version = release = tlskit.__version__

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
smartquotes = False  # b"" in a docstring is code
default_role = "literal"  # `x` in a docstring is code, as in Markdown
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4
myst_url_schemes = ("http", "https", "mailto")

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
