"""Words of the library: what it tells a user is not in the language of the study."""

import ast
import re
from pathlib import Path

import pytest

import mekrr

PACKAGE = Path(mekrr.__file__).parent
# Keys of the study's configuration, Snakemake and its flags; flags of the command.
STUDY = re.compile(
    r"\bstudy\b|\bconfig\b|snakemake|\b(the|a) rule\b|registry of data sets|make setup|"
    r"--(cores|set-resources|configfile)|"
    r"\b(study|features|gap|kernels|training|networks|datasets|heatmap|grid|learning|split)\.[a-z]",
    re.IGNORECASE,
)
FLAG = re.compile(r"(?<![\w-])--[a-z]")
ALLOWED = {  # texts by module, each with what it means there
    "backbones/schnet/oc20.py": {"config"},  # an entry of OC20's checkpoints
    "data/reading.py": {"--formats"},  # of ASE's own command
    "models/gap.py": {"gap.xml"},  # a file of gap_fit
    "environment.py": {"snakemake", "--short", "--porcelain", "--untracked-files"},  # versions; git
    "yaml_file.py": {"configuration"},  # any YAML file
}


def texts(path):
    """The texts in a module that are no docstrings, with their lines."""
    tree = ast.parse(path.read_text())
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    bodies = (node.body for node in ast.walk(tree) if isinstance(node, kinds))
    docstrings = {id(body[0].value) for body in bodies if isinstance(body[0], ast.Expr)}
    for node in ast.walk(tree):
        text = getattr(node, "value", None) if id(node) not in docstrings else None
        if isinstance(node, ast.Constant) and isinstance(text, str):
            yield node.lineno, text


def foreign(path, *more):
    """Lines with words of the study, and those that ``more`` finds."""
    name = path.relative_to(PACKAGE).as_posix()
    for line, text in texts(path):
        for allowed in ALLOWED.get(name, ()):
            text = text.replace(allowed, "")
        if any(word.search(text) for word in (STUDY, *more)):
            yield f"{name}:{line}: {text}"


ROOMS = sorted(folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists())
LIBRARY = [room for room in ROOMS if room not in ("study", "cli")]


@pytest.mark.parametrize("room", ["", *LIBRARY])
def test_the_library_names_its_own_parameters(room):
    paths = sorted((PACKAGE / room).rglob("*.py") if room else PACKAGE.glob("*.py"))
    found = [line for path in paths for line in foreign(path, FLAG)]
    assert paths
    assert not found


def test_the_command_names_no_key_of_the_study():
    assert not [line for path in (PACKAGE / "cli").rglob("*.py") for line in foreign(path)]


def test_what_is_found(tmp_path):
    path = tmp_path / "a.py"
    path.write_text('def f():\n    """In the config."""\n    raise E(f"{x}: lower study.every")\n')
    assert list(texts(path)) == [(3, ": lower study.every")]
    told = ["lower study.every", "give the rule more", "set it in the config", "gap.n_max"]
    assert all(STUDY.search(text) for text in told)
    assert FLAG.search("name it (--format)")
    assert not any(STUDY.search(text) for text in ("config_type=", "run fewer jobs", "`atoms`"))
