"""Configuration files that are whole in themselves, beside those of the study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from mekrr.errors import ConfigError, printable
from mekrr.study.config.faults import first_fault, one_line
from mekrr.study.config.values import require_finite, require_no_control

Model = TypeVar("Model", bound=BaseModel)


def read_whole(config: Mapping, model: type[Model]) -> Model:
    """Return what a file holds; a ConfigError of one line for its first fault."""
    require_finite(config)
    require_no_control(config)
    try:
        return model.model_validate(config)
    except ValidationError as error:
        raise ConfigError(printable(one_line(first_fault(error, ())))) from error
