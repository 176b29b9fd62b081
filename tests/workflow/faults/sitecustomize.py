"""A fault at a chosen instant of a chosen step; Python imports this file when it starts.

MEKRR_FAULT is ``SCRIPT FILE COUNT WHAT``: when the step of that script has written the file
of that name for the COUNT-th time and is about to rename it, WHAT happens:

kill, term    the signal, to the step
segv          likewise, as by a crash in compiled code
exit          the process ends with status 1, as by a library that gives up
leader        kill -9 to Snakemake alone
group         kill -9 to Snakemake and all its steps
wait          until the file MEKRR_GO is there

``SCRIPT MODULE 0 import``: the process ends with status 3 when it imports that module.

``SCRIPT FILE FRAMES memory``: once the step has opened the file of that name, a graph of more than
so many frames asks for more memory than there can be. A limit of the process would strike
wherever a library takes its memory, which differs between machines.
"""

import os
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
    elif what == "segv":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif what == "exit":
        os._exit(1)
    elif what == "leader":
        os.kill(os.getpgid(0), signal.SIGKILL)
    elif what == "group":
        os.killpg(0, signal.SIGKILL)
    elif what == "wait":
        while not os.path.exists(os.environ["MEKRR_GO"]):
            time.sleep(0.05)


def refuse(event, arguments):
    if event == "import" and arguments[0] == name:
        os._exit(3)


def starve(event, arguments):
    if event != "open" or os.path.basename(str(arguments[0])) != name:
        return
    import numpy as np

    from mekrr.backbones.analytic.adapter import AnalyticBackbone

    graph = AnalyticBackbone.graph

    def starved(backbone, frames):
        return np.empty(2**62, np.uint8) if len(frames) > int(count) else graph(backbone, frames)

    AnalyticBackbone.graph = starved


if any(argument.endswith(f".{script}.py") for argument in sys.orig_argv):
    sys.addaudithook({"memory": starve, "import": refuse}.get(what, strike))
