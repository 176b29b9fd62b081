"""Checking a configuration: each value, each mapping, then what they say of each other."""

from __future__ import annotations

from pydantic import ValidationError

from mekrr.errors import ConfigError, printable
from mekrr.study.config.faults import RULE, first_fault, one_line
from mekrr.study.config.files import check_sources, expand_paths
from mekrr.study.config.names import check_names
from mekrr.study.config.rules import check_rules
from mekrr.study.config.study import REGISTRIES, StudyConfig
from mekrr.study.config.values import require_finite, require_no_control


def read_config(config: dict) -> StudyConfig:
    """Return a merged configuration once it is checked, with its paths as they are meant.

    ``~`` and variables in the paths of ``config`` itself are replaced, too. Raises a ConfigError
    of one line for the first fault, a local file that the study lacks among them.
    """
    check_config(config)
    expand_paths(config)
    checked = StudyConfig.model_validate(config)
    check_sources(checked)
    return checked


def check_config(config: dict) -> StudyConfig:
    """Return a merged configuration as typed models.

    Raises a ConfigError of one line for its first fault.
    """
    require_finite(config)
    try:
        checked = StudyConfig.model_validate(config)
    except ValidationError as error:
        found = first_fault(error, REGISTRIES)
        if found["type"] in (RULE, "string_unicode"):
            require_no_control(config)
        raise ConfigError(printable(one_line(found))) from error
    require_no_control(config)
    check_rules(checked)
    check_names(checked)
    return checked
