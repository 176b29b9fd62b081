"""Overlays for other people's data are valid, and find the data where the user says."""

import re

import pytest
import yaml
from samples import ROOT
from snakemake.utils import update_config
from studies import default_config

from mekrr.errors import ConfigError
from mekrr.study.config import check_files, read_config

VARIABLES = {"acac": "ACAC", "cuformate": "CUFORMATE", "mlearn": "MLEARN"}


@pytest.fixture(params=VARIABLES)
def overlay(request):
    return ROOT / f"config/{request.param}.yaml"


def merged(overlay):
    check_files([overlay])
    config = default_config()
    update_config(config, yaml.safe_load(overlay.read_text()))
    return config


def test_study_of_the_users_files(overlay, monkeypatch, tmp_path):
    variable = VARIABLES[overlay.stem]
    named = re.findall(rf"\${variable}/(\S+?)[,}}]", overlay.read_text())
    for name in named:
        (tmp_path / name).touch()
    (tmp_path / "frames.extxyz").touch()
    monkeypatch.setenv(variable, str(tmp_path if named else tmp_path / "frames.extxyz"))
    study = read_config(merged(overlay))
    files = [file for name in study.study.datasets for file in study.datasets[name].files]
    assert len(files) == max(1, len(named))
    assert all(file.startswith(str(tmp_path)) for file in files)
    assert study.sparse.inducing == 1000
    assert study.sparse.directions.random == 8
    assert not set(study.sparse.skip) & set(study.study.datasets)


def test_without_the_files(overlay, monkeypatch):
    monkeypatch.delenv(VARIABLES[overlay.stem], raising=False)
    with pytest.raises(ConfigError, match=rf"datasets\..*{VARIABLES[overlay.stem]}"):
        read_config(merged(overlay))
