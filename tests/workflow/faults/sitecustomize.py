"""A fault at a chosen instant of a chosen step; Python imports this file when it starts.

MEKRR_FAULT is ``SCRIPT FILE COUNT WHAT``: when the step of that script has written the file
of that name for the COUNT-th time and is about to rename it, WHAT happens:

kill, term    the signal, to the step
leader        kill -9 to Snakemake alone
group         kill -9 to Snakemake and all its steps
wait          until the file MEKRR_GO is there

``SCRIPT FILE MEGABYTES memory`` leaves the step so much address space once it opens the file of
that name, having imported what reads it.
"""

import os
import resource
import signal
import sys
import time

script, name, count, what = os.environ.get("MEKRR_FAULT", "- - 0 -").split()
renamed = 0


def strike(event, arguments):
    global renamed
    if event != "os.rename" or os.path.basename(os.fspath(arguments[1])) != name:
        return
    renamed += 1
    if renamed != int(count):
        return
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "term":
        os.kill(os.getpid(), signal.SIGTERM)
    elif what == "leader":
        os.kill(os.getpgid(0), signal.SIGKILL)
    elif what == "group":
        os.killpg(0, signal.SIGKILL)
    elif what == "wait":
        while not os.path.exists(os.environ["MEKRR_GO"]):
            time.sleep(0.05)


def starve(event, arguments):
    if event == "open" and os.path.basename(str(arguments[0])) == name:
        with open("/proc/self/statm") as stream:
            used = int(stream.read().split()[0]) * resource.getpagesize()
        limit = used + int(count) * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if any(argument.endswith(f".{script}.py") for argument in sys.orig_argv):
    sys.addaudithook(starve if what == "memory" else strike)
