"""Settings of Sphinx: `make docs` builds the site into docs/_build/html."""

import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "_extensions")]
os.environ["TQDM_DISABLE"] = "1"  # no progress bars among what tutorials print

from records import substitutions  # noqa: E402
from viewers import Viewers  # noqa: E402

import mekrr  # noqa: E402

project = "mekrr"
author = "the authors of mekrr"
copyright = author
version = release = mekrr.__version__

extensions = [
    "anchors",
    "backbones",
    "licences",
    "myst_parser",
    "docstrings",
    "numpydoc",
    "published",
    "records",
    "repository",
    "sphinx-mathjax-offline",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinxarg.ext",
    "sphinxcontrib.bibtex",
    "viewers",
]
exclude_patterns = ["_build", "_generated", "records", "tutorials"]
default_role = "py:obj"
highlight_language = "none"
nitpicky = True
suppress_warnings = ["myst.domains"]  # sphinx-argparse has one that MyST cannot search

html_theme = "furo"
html_title = f"mekrr {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "substitution"]
myst_heading_anchors = 3
# Numbers of runs, by record: {{ real_cuformate.delta_random }}.
myst_substitutions = substitutions(DOCS)

bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "plain"

autodoc_typehints = "none"  # numpydoc has them, with shapes and units
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False

smartquotes_action = "qe"  # two dashes are those of an option

copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "tutorials",
    "gallery_dirs": "auto_tutorials",
    "filename_pattern": r"/\d_",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": ("matplotlib", Viewers()),
    "image_srcset": ["2x"],
    "remove_config_comments": True,
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 0,
    "write_computation_times": False,
}
