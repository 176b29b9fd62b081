"""Progress bars where there is no terminal."""

import io
import sys

import pytest
import tqdm

from mekrr.progress import PAUSE, progress_bar


@pytest.fixture
def clock(monkeypatch):
    """tqdm's clock, which the test sets."""
    now = [1000.0]
    monkeypatch.setattr(tqdm.std, "time", lambda: now[0])
    monkeypatch.setattr(sys, "__stderr__", io.StringIO())
    return now


@pytest.mark.parametrize("total", [1000, None])
@pytest.mark.parametrize("seconds", [0.001, 0.1, 7.0])
def test_a_log_is_not_filled(clock, capsys, total, seconds):
    with progress_bar(total, "net", "frames") as bar:
        for _ in range(1000):
            clock[0] += seconds
            bar.update()
    text = capsys.readouterr().err
    lines = text.splitlines()
    assert "\r" not in text
    assert all(line.startswith("net: ") and line == line.strip() for line in lines)
    assert 2 <= len(lines) <= 2 + 1000 * seconds / PAUSE
    assert "1000" in lines[-1]


@pytest.mark.parametrize(("seconds", "shown"), [(9.0, False), (35.0, True)])
def test_what_is_soon_over_shows_none(clock, capsys, seconds, shown):
    with progress_bar(100, "net", "frames", delay=10.0) as bar:
        for _ in range(100):
            clock[0] += seconds / 100
            bar.update()
    assert bool(capsys.readouterr().err) == shown


def test_no_standard_error(monkeypatch):
    """As of a process without a console, or whose stderr was closed."""
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "__stderr__", None)
    with progress_bar(3, "net", "frames") as bar:
        bar.update(3)


@pytest.mark.parametrize("terminal", [True, False])
def test_the_environment_silences(monkeypatch, capsys, terminal):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(sys, "__stderr__", stream)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    with progress_bar(3, "net", "frames") as bar:
        bar.update(3)
    assert stream.getvalue() == capsys.readouterr().err == ""
