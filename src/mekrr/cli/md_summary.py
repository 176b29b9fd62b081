"""What `mekrr md` prints of a run when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mekrr.cli.printing import line

if TYPE_CHECKING:
    import pandas as pd

    from mekrr.dynamics.engine import Ending
    from mekrr.dynamics.limits import Limits
    from mekrr.dynamics.settings import Settings


def told(
    ending: Ending,
    settings: Settings,
    limits: Limits,
    log: pd.DataFrame,
    n_atoms: int,
    seconds: float,
) -> list[str]:
    """Return lines on a run.

    Parameters
    ----------
    log : of the whole run, the fields of `mekrr.dynamics.sinks.Row`.
    seconds : that the steps of this call took.
    """
    before = f", {ending.begun:,} of them before" if ending.begun else ""
    reached = f"{1e-3 * ending.done * settings.timestep:g} ps"
    lines = [
        line("steps", f"{ending.done:,} of {settings.steps:,}, {reached}{before}"),
        line("temperature", f"{log['temperature_K'].mean():.1f} K, mean of the log"),
    ]
    if settings.ensemble == "nve":
        lines.append(line("energy drift", _drift(log, n_atoms)))
    std = log["energy_std"]
    if std.notna().any():
        most = f"{1000 * std.max() / n_atoms:.3g} meV/atom, at {log['time_fs'][std.idxmax()]:g} fs"
        lines.append(line("energy_std", f"at most {most}"))
    if ending.done > ending.begun:
        lines.append(line("speed", f"{(ending.done - ending.begun) / seconds:.3g} steps/s"))
    return [*lines, line("ended", _why(ending, settings, limits, log, n_atoms))]


def _why(
    ending: Ending, settings: Settings, limits: Limits, log: pd.DataFrame, n_atoms: int
) -> str:
    """Tell why a run has ended, and by which limit."""
    if not ending.left:
        return "the steps asked for are done"
    if ending.uncertain:
        return ending.left
    last = log.iloc[-1]
    drift = 1000 * (last["total_energy"] - log["total_energy"][0]) / n_atoms
    passed = {
        "too hot": f"{last['temperature_K']:.4g} K, --hottest {limits.hottest:g} of "
        f"{settings.temperature:.4g} K",
        "atoms too close": f"{last['closest']:.3g} of their radii, --closest {limits.closest:g}",
        "energy not conserved": f"{drift:.4g} meV/atom, --drift {limits.drift:g}",
    }.get(ending.left)
    return f"it left the physics: {ending.left}{f' ({passed})' if passed else ''}"


def _drift(log: pd.DataFrame, n_atoms: int) -> str:
    """Tell how well the total energy of a log is conserved."""
    import numpy as np

    log = log[np.isfinite(log["total_energy"])]
    energy = 1000 * (log["total_energy"] - log["total_energy"].iloc[0]).to_numpy() / n_atoms
    most = f"{np.abs(energy).max():.3g} meV/atom from the start at most"
    if len(log) < 3:
        return most
    slope = np.polyfit(log["time_fs"].to_numpy() / 1000, energy, 1)[0]
    return f"{slope:.3g} meV/atom/ps by a straight line, {most}"
