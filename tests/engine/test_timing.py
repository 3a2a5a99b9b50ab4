"""Spans and totals of the timeline."""

from __future__ import annotations

import time

from workbench.engine.timing import Timeline


def test_the_clock_is_read_after_the_device_has_finished() -> None:
    waited = []
    timeline = Timeline(lambda: waited.append(time.sleep(0.01)))
    with timeline.span("ode"):
        pass
    assert len(waited) == 2 and timeline.spans[0].seconds >= 0.01
