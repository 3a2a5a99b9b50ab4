"""Steps are timed by the clock, or by events that are waited for once."""

from __future__ import annotations

import torch

from workbench.engine.model.stopwatch import StepClock, StepEvents


def test_a_clock_times_each_block():
    ticks = iter([1.0, 1.5, 4.0, 4.25])
    watch = StepClock(lambda: next(ticks))
    for _ in range(2):
        with watch:
            pass
    assert watch.seconds() == (0.5, 0.25)


def test_events_are_waited_for_once_however_many_steps_there_are():
    waited, made = [], []

    class Event:
        def __init__(self):
            made.append(self)
            self.at = len(made)

        def record(self, stream):
            assert stream is None

        def synchronize(self):
            waited.append(self.at)

        def elapsed_time(self, other):
            return 1000.0 * (other.at - self.at)

    watch = StepEvents(torch.device("cpu"), Event)
    for _ in range(3):
        with watch:
            pass
    assert watch.seconds() == (1.0, 1.0, 1.0)
    assert waited == [6], "the last one"
    watch.wait(1)
    assert waited == [6, 4]
    assert StepEvents(torch.device("cpu"), Event).seconds() == ()
