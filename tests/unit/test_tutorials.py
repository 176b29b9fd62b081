"""The tutorials' scripts on their own: where they find the frames, and what they say where not."""

import ast

import pytest
from samples import ROOT

TUTORIALS = sorted((ROOT / "docs/tutorials").glob("[0-9]_*.py"))


@pytest.mark.parametrize("script", TUTORIALS, ids=lambda script: script.stem)
def test_outside_a_clone_a_line_says_where_to_run_it(script, tmp_path, monkeypatch):
    """Of a script that was copied, and of a notebook, which has no file."""
    monkeypatch.chdir(tmp_path)
    for place in ({"__file__": str(tmp_path / script.name)}, {}):
        with pytest.raises(SystemExit) as ended:
            exec(_search(script), place)
        assert ended.value.code.endswith("in the repository: run this in docs/tutorials of a clone")
    found = {"__file__": str(script)}
    exec(_search(script), found)
    assert found["root"] == ROOT


def _search(script):
    """Return the code of a tutorial that looks for the frames."""
    nodes = ast.parse(script.read_text(encoding="utf-8")).body
    ours = [node for node in nodes if isinstance(node, ast.Assign | ast.If)][:3]
    path = ast.parse("from pathlib import Path").body
    return compile(ast.Module([*path, *ours], []), str(script), "exec")
