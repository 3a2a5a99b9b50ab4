"""A plan says who speaks which text, once."""

from __future__ import annotations

import random

from tests.training.toy import NAMES
from training.demo_voice.teacher.voices import UNSEEN, Speaker
from training.demo_voice.texts import characters
from training.demo_voice.texts.plan import Plan, draw_speakers


def test_a_plan_is_read_as_it_was_written_and_keeps_held_out_voices_and_texts_apart(planned):
    made = Plan.read(planned / "plan.json")
    assert len(made.speakers) == len(NAMES) + 2 and made.speakers[0] == Speaker.pure("af_one", made.speakers[0].pace)
    assert len({(u.speaker, u.text) for u in made.utterances}) == len(made.utterances) == 14 * 8
    assert all(u.ids == characters.tokens(u.text) and 0.75 <= u.speed <= 1.6 for u in made.utterances)
    kept_out = [voice for voice, _ in UNSEEN.values()]
    drawn = draw_speakers([*NAMES, *kept_out, "af_nicole"], random.Random(1), 30)
    assert len(drawn) == len(NAMES) + 30
    assert not {n for s in drawn for n in (*s.timbre[:2], *s.prosody[:2])} & {*kept_out, "af_nicole"}
