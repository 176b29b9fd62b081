"""The files of the configuration, looked at before Snakemake merges them.

It takes the last of two equal keys in silence, in files whose anchors may stand for billions
of values. (It has read those of `--configfile` by now, but no job has begun.)
"""

import sys
from pathlib import Path

from mekrr.errors import ConfigError
from mekrr.study.config import REGISTRIES, check_files

OWN_FILES = [Path(f"config/{name}.yaml") for name in ("config", *REGISTRIES)]

try:
    check_files([path for path in OWN_FILES if path.exists()])
    check_files(workflow.overwrite_configfiles)
except ConfigError as error:
    sys.exit(f"mekrr: error: config: {error}")
