"""Pauses are found and measured; other tags are reported."""

from __future__ import annotations

import pytest

from workbench.engine.errors import TextError
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.text import plan_chunks
from workbench.engine.text import tags
from workbench.engine.text.preparing import prepare

REF, SAMPLES = "Some call me nature, others call me mother nature.", 5 * 24_000


@pytest.mark.parametrize(
    ("tag", "seconds"),
    [('<break time="700ms"/>', 0.7), ("<break time='1.5s' />", 1.5), ('<break strength="weak" time=".25s"></break>', 0.25),
     ("[pause 1.5s]", 1.5), ("[pause: 300 ms]", 0.3), ("[Pause=2s]", 2.0), ("[silence 0,5 s]", 0.5), ("[pause 3 seconds]", 3.0)],
)  # fmt: skip
@pytest.mark.parametrize("around", ["One. {} Two.", "पहला। {} दूसरा।", "一。{}二。", "Раз. {} Два."])
def test_a_pause_cuts_the_text_and_is_no_part_of_it(tag, seconds, around):
    first, last = plan_chunks(prepare(around.format(tag)), REF, SAMPLES, SynthesisSettings())
    assert (first.pause_seconds, first.lead_seconds, last.pause_seconds) == (seconds, 0.0, 0.0)
    assert first.text + last.text == "".join(around.format("").split())


def test_pauses_before_after_and_beside_each_other():
    text = "[pause 1s] Hello there. [pause 0.5s][pause 250ms] Good bye then. <break time='2s'/>"
    chunks = plan_chunks(text, REF, SAMPLES, SynthesisSettings())
    assert [(c.lead_seconds, c.pause_seconds) for c in chunks] == [(1.0, 0.75), (0.0, 2.0)]


@pytest.mark.parametrize(
    "tag",
    ["[pause]", "[pause 2]", "<break/>", '<break strength="strong"/>', "[pause long]", "[pause 0s]", "[pause 90s]"],
)
def test_a_pause_that_cannot_be_made_is_refused_by_name(tag):
    with pytest.raises(TextError) as error:
        prepare(f"One. {tag} Two.")
    assert tag in str(error.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [("[laugh] Hi.", "[laugh]"), ("Hi <emphasis level='strong'>you</emphasis>", "<emphasis level='strong'>"),
     ("[speaker: Bob] Hi.", "[speaker: Bob]"), ("<speak>Hi.</speak>", "</speak>"), ("[смех] Привет", "[смех]")],
)  # fmt: skip
def test_other_tags_are_named(text, named):
    assert named in [change.before for change in prepare(text).offers if change.what == "tag"]


def test_no_more_than_the_text_of_a_pause_is_a_pause():
    assert tags.pauses("He paused [for a while]. A pause 2s long. <breakfast time='8s'>") == []
