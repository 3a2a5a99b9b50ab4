"""A whole book is planned at once: in time that grows with its length and no faster."""

from __future__ import annotations

import time

import pytest

from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.text import plan_chunks
from workbench.engine.text.preparing import prepare

PLAIN = "The boats came home that evening, and nobody on the shore had seen so many of them before. "
KINDS = {
    "plain": PLAIN,
    "numbers": "In 1984 the 22 boats, 7:45 late, sold 1,250.75 kg of fish at $3.20 and 15% less than in 1979. ",
    "line ends": PLAIN.replace("evening, ", "evening,\r\n"),
    "pauses and line ends": PLAIN.replace(" and", "\r\nand") + "[pause 0.5s] ",
    "no marks": "the boats came home that evening and nobody on the shore had seen so many of them before ",
    "quotes": "“The boats,” he said, “came home ‘that’ evening — and nobody… saw them.” ",
    "Markdown and tags": "The **boats** came <b>home</b> that _evening_ [softly], and nobody 😀 saw them. ",
    "Chinese": "那天晚上，船都回来了，岸上没有人见过这么多的船。",
}
VOCABULARY = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:!?'\"$%- ") | {"chuan2"}


def planning_seconds(text: str) -> float:
    """Processor time, which other programs do not change much."""
    began = time.process_time()
    plan_chunks(prepare(text, VOCABULARY, ("en",)), "Some words are said here.", 72_000, SynthesisSettings())
    return time.process_time() - began


@pytest.mark.parametrize("kind", KINDS)
def test_planning_takes_time_in_proportion_to_the_text(kind: str) -> None:
    paragraph = KINDS[kind] * 12 + "\n\n"
    planning_seconds(paragraph)
    short = max(planning_seconds(paragraph * 10), 0.02)
    long = [planning_seconds(paragraph * 80)]
    if long[0] >= 20 * short:  # once more: a busy machine slows one of them
        long.append(planning_seconds(paragraph * 80))
    assert min(long) < 20 * short, (short, long)  # 8 times the text; what is quadratic takes 64 times as long
