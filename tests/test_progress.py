"""Progress of prediction in megapixels and of a search in seconds, on a terminal and elsewhere."""

import io
import re

import pytest

import src.progress as progress
from src.progress import MegapixelProgress, TimeProgress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("terminal", [True, False])
def test_more_pixels_than_expected_raise_the_total(monkeypatch, terminal):
    shown = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1)
    with MegapixelProgress("predict", 1_000_000) as meter:
        for _ in range(5):
            meter.add(2_000_000)
        meter.expect(3_000_000)
        if meter.bar is not None:
            meter.bar.refresh()
    assert meter.done == 10_000_000 and meter.total == 13_000_000 and meter.rate > 0
    assert "10.0/13.0 MP" in shown.getvalue() if terminal else "10.0 of 10.0 megapixels" in shown.getvalue()


def test_without_a_terminal_the_remaining_time_is_printed(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1)
    meter = MegapixelProgress("predict", 4_000_000)
    meter.started -= 10
    meter.add(1_000_000)
    assert re.fullmatch(r"predict: 1\.0 of 4\.0 megapixels, 0\.1 a second, (29|30|31) s left\n", shown.getvalue())


@pytest.mark.parametrize("terminal", [True, False])
def test_the_time_that_is_used_is_shown_with_every_event(monkeypatch, terminal):
    shown = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr("sys.stderr", shown)
    with TimeProgress("search", 75, lambda: 42.0) as meter:
        meter.tick()
        meter.say("a trial")
    assert "search, 42 of 75 s: a trial\n" in shown.getvalue()
    assert ("42/75 s" in shown.getvalue()) == terminal
