"""Fixtures of the tests of the estimator."""

import pytest
import yaml
from repulsive import frame

from mekrr import MEKRR
from mekrr.backbones.families import Family, families


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry of two backbones without weights, one of them with an energy."""
    monkeypatch.setitem(families(), "repulsive", Family("repulsive:Repulsive"))
    path = tmp_path / "backbones.yaml"
    entries = {name: {"family": name, "layers": [1, 2]} for name in ("analytic", "repulsive")}
    path.write_text(yaml.safe_dump({"backbones": entries}))
    return path


@pytest.fixture
def frames(rng):
    """Frames of two compositions, whose energies are those of `Repulsive` beyond the species'."""
    return [frame(rng, symbols) for symbols in ["Cu4", "Cu3O"] * 12]


@pytest.fixture
def analytic(registry):
    return MEKRR("analytic", registry=registry)
