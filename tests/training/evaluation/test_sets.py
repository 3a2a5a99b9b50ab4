"""What is read in an evaluation: every kind, in every voice."""

from __future__ import annotations

from training.demo_voice.evaluation import sets
from training.demo_voice.teacher.voices import REFERENCES, UNSEEN


def test_cases_are_in_every_voice_and_an_evaluation_of_a_third_is_a_third():
    found = sets.cases()
    assert len({case.key for case in found}) == len(found)
    assert {case.voice for case in found} == {*REFERENCES, *UNSEEN}
    passages = [case for case in found if case.part == "chunks_40"]
    assert passages and all(len(case.text) > 300 for case in passages)
    assert len(sets.cases(every=3)) < 0.45 * len(found)
    assert not {c.voice for c in sets.cases(unseen=False)} & set(UNSEEN)
