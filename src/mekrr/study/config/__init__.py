"""The configuration of the study: what each key may be, and what it is."""

from mekrr.study.config.study import StudyConfig

__all__ = ["StudyConfig", "check_config"]


def check_config(config: dict) -> StudyConfig:
    return StudyConfig.model_validate(config)
