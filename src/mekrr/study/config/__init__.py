"""The configuration of the study: what each key may be, and what it is."""

from mekrr.study.config.check import check_config, read_config
from mekrr.study.config.files import check_files
from mekrr.study.config.study import REGISTRIES, StudyConfig

__all__ = ["REGISTRIES", "StudyConfig", "check_config", "check_files", "read_config"]
