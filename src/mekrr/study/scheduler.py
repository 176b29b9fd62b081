"""How Snakemake chooses which jobs run next."""

from __future__ import annotations

from typing import Any


def without_rate_limit(workflow: Any) -> None:
    """Lift Snakemake's limit of submissions per second, where all jobs run on this machine.

    There it limits nothing, but for it the scheduler wakes up once more with every job that has
    run, until it takes a core for itself (Snakemake's issue 2967).
    """
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
