"""Every job that a study may have, as Snakemake sees it: python jobs.py CONFIGFILE TARGET…

One line of JSON for each: its rule, script, wildcards, inputs, the kind of
models that it is about, and the step of a fit in shards. A list of modules among
the inputs stands for these.
"""

import json
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
)

configfile, *targets = sys.argv[1:]
with SnakemakeApi(OutputSettings(dryrun=True, quiet={Quietness.ALL})) as api:
    started = api.workflow(
        resource_settings=ResourceSettings(cores=1),
        config_settings=ConfigSettings(configfiles=[Path(configfile)]),
        snakefile=Path("Snakefile"),
    )
    workflow = started.dag(DAGSettings(targets=set(targets), forceall=True)).workflow_api._workflow
    workflow._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True)
    workflow._build_dag()
    lists = {
        job.output[0]: list(job.input) for job in workflow.dag.jobs if job.rule.name == "list_code"
    }
    for job in workflow.dag.jobs:
        facts = {
            "rule": job.rule.name,
            "script": job.rule.script and Path(job.rule.script).stem,
            "wildcards": job.wildcards_dict,
            "input": [found for path in job.input for found in lists.get(path, [path])],
            "kind": job.params.get("kind"),
            "step": job.params.get("step"),
        }
        print(json.dumps(facts))
