"""What Snakemake's process says of steps that ended without a message."""

import logging
import resource

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from mekrr.study import endings
from mekrr.study.endings import EndingWatch

RULE_ERROR = "CalledProcessError in file a.smk, line 1:\nCommand 'set -euo pipefail; python x' "


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Tells a watch of a job that fails, and returns what it printed."""
    monkeypatch.chdir(tmp_path)
    watch = EndingWatch()

    def told(error=None, *, written=None, before=None, **aux):
        def send(event, **content):
            watch.handle(logging.makeLogRecord({"event": event, "jobid": 7} | content))

        log = tmp_path / "a.log"
        log.unlink(missing_ok=True)
        if before is not None:
            log.write_text(before)
        started = {"rule_name": "gram", "wildcards": {"seed": "3"}, "resources": {"mem_mb": 500}}
        send(LogEvent.JOB_INFO, log=["a.log"], **started)
        if written is not None:
            log.write_text(written)
        if error is not None:
            send(LogEvent.ERROR, msg=error)
        send(LogEvent.JOB_ERROR, log=["a.log"], aux=aux)
        return capfd.readouterr().err

    return told


@pytest.mark.parametrize(
    ("words", "how"),
    [
        ("returned non-zero exit status 1.", "exit status 1"),
        ("returned non-zero exit status 137.", "SIGKILL"),
        ("returned non-zero exit status 139.", "SIGSEGV"),
        ("returned non-zero exit status 255.", "exit status 255"),
        ("died with <Signals.SIGABRT: 6>.", "SIGABRT"),
    ],
)
def test_how_a_step_ended(run, words, how):
    line = run(RULE_ERROR + words, written="INFO: began\n")
    assert line.startswith(f"mekrr: error: gram (seed=3): ended without a message ({how}); ")
    assert "it asked for 500 MB" in line
    assert "see a.log and the lines above" in line
    assert line.count("\n") == 1


def test_a_step_that_has_spoken_is_left_alone(run):
    status = RULE_ERROR + "returned non-zero exit status 1."
    for text in ("mekrr: error: x: is empty\n", "INFO: a\nmekrr: unexpected ValueError: b\n"):
        assert run(status, written=text) == ""
    assert run(RULE_ERROR + "died with <Signals.SIGINT: 2>.") == ""  # the user's own Ctrl-C
    assert run("MissingOutputException in rule gram") == ""  # Snakemake's own line says it all
    # A line of a run before, in a log that this one never opened.
    assert "exit status 1" in run(status, before="mekrr: error: x: is empty\n")


def test_a_job_of_a_queue(run):
    line = run(external_jobid="42")
    assert "gram (seed=3): ended without a message (job 42 of the queue); it asked for 500" in line
    assert run(external_jobid="42", written="mekrr: error: x: is empty\n") == ""


def test_the_memory_that_there_was(run, monkeypatch):
    limit = (300 * 2**20, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda which: limit)
    status = RULE_ERROR + "returned non-zero exit status 137."
    assert "300 MB are there (ulimit -v)" in run(status)
    kills = iter([0, 1])
    monkeypatch.setattr(endings, "_n_oom_kills", lambda: next(kills))
    assert "(SIGKILL, the system was out of memory)" in run(status)
