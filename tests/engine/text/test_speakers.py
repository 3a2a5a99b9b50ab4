"""Tags that name voices: what is one, what is not, and what a slip is told."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from workbench.engine.errors import SettingsError, VoiceError, WorkbenchError
from workbench.engine.text import speakers
from workbench.engine.text.preparing import prepare

NAMES = ("Nora", "Tom Smith", "nature-en", "Zoë")


def found(text: str, **how: Any) -> list[tuple[Any, ...]]:
    return [(t.name, dict(t.settings), t.at_seconds, t.until_seconds) for t in speakers.find(text, NAMES, **how)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[Nora] Hi.", [("Nora", {}, None, None)]),
        ("[ nora ] Hi. [tom smith] Ho.", [("Nora", {}, None, None), ("Tom Smith", {}, None, None)]),
        ("[Zoe\u0308] Hi.", [("Zoë", {}, None, None)]),
        ("[Nora speed=0.9 seed=4] Hi.", [("Nora", {"speed": 0.9, "seed": 4}, None, None)]),
        ("[Nora, speed = 0.9, nfe=7, cfg=1] Hi.",
         [("Nora", {"speed": 0.9, "nfe_step": 7, "cfg_strength": 1}, None, None)]),
        ("[nature-en sway=none use_epss=false] Hi.",
         [("nature-en", {"sway_sampling_coef": None, "use_epss": False}, None, None)]),
        ("[Nora speed=\"0.9\" seed='4' at=\"1.5\"] Hi.", [("Nora", {"speed": 0.9, "seed": 4}, 1.5, None)]),
        ("[Nora at=1:02.5 until=70s] Hi.", [("Nora", {}, 62.5, 70.0)]),
        ("[main] Hi. [Regular] Ho.", [("main", {}, None, None)] * 2),
        ('{"name": "Nora", "seed": -1, "speed": 0.8} Hi. {Tom Smith} Ho.',
         [("Nora", {"speed": 0.8}, None, None), ("Tom Smith", {}, None, None)]),
        ("{Regular} Hi.", [("main", {}, None, None)]),
        ("[Nora] See [1], [sic], [the others] and [laughs]. {x} [pause 1s]", [("Nora", {}, None, None)]),
    ],
)  # fmt: skip
def test_tags_name_voices_and_settings(text: str, expected: list[Any]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    ["No tags.", "He said [sic] so.", "[Chapter 1] Begin.", "[laughs] Oh.", r"\[Nora\] is a word.", "[Nora](http://a.b)",
     "[pause 1.5s] Hello.", "{} {1} {a: 1}", r"\{Nora} Hi.", "[ ] [x] [] ["],
)  # fmt: skip
def test_other_brackets_are_words_as_before(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[Norra] Hi.", "There is no voice 'Norra'. Did you mean Nora? Voices: "),
        ("[Nora] Hi.\n[Bob] Ho.", "There is no voice 'Bob'. Voices: "),
        ("[Nora] Hi. [Tom Smyth] Ho.", "Did you mean Tom Smith?"),
        ("[Nora] Hi. [Bob speed=2] Ho.", "There is no voice 'Bob'."),
        ('{"name": "Bob"} Ho.', "There is no voice 'Bob'."),
        ("[Nora] Hi.\n[Bob] Ho.", r"Write \[Bob] for words in brackets."),
    ],
)
def test_a_slip_is_told_the_nearest_name_and_the_list(text: str, said: str) -> None:
    with pytest.raises(VoiceError) as error:
        found(text)
    assert said in str(error.value)


def test_a_known_script_takes_every_name_at_the_start_of_a_line_for_a_voice() -> None:
    assert found("[Chapter 1] Begin.") == []
    with pytest.raises(VoiceError):
        found("[Chapter 1] Begin.", strict=True)
    assert found("Begin [Chapter 1] here.", strict=True) == []


@pytest.mark.parametrize("tag", ["[Nora until=3]", "[Nora at=3 until=3]", "[Nora at=x]", "[Nora at=1:2:3:4]"])
def test_times_make_sense(tag: str) -> None:
    with pytest.raises(SettingsError):
        found(f"{tag} Hi.")


@pytest.mark.parametrize(
    ("settings", "times"),
    [({}, (None, None)), ({"speed": 0.95, "seed": 4, "sway_sampling_coef": None, "use_epss": True}, (1.5, 4815.162))],
)
def test_a_written_tag_is_read_as_it_was_meant(settings: dict[str, Any], times: tuple[Any, Any]) -> None:
    assert found(speakers.write("Tom Smith", settings, *times)) == [("Tom Smith", settings, *times)]


def test_escaped_words_hold_no_tag_and_are_spoken_with_their_brackets() -> None:
    words = "[Nora] is {Nora} \\[Nora]"
    escaped = speakers.escaped(words)
    assert found(escaped) == [] and speakers.escaped(escaped) == escaped
    prepared = prepare(escaped)
    assert prepared.text == "[Nora] is {Nora} [Nora]" and prepared.offers == () and prepared.pauses == ()
    assert prepared.place(prepared.text.index("is")) == escaped.index("is")


def test_an_escaped_pause_is_words() -> None:
    assert prepare(r"Say \[pause 1s] now.").pauses == ()


@pytest.mark.parametrize("text", ["[" * 20_000, "{" * 20_000, "[Nora " * 5_000, "[a=" * 5_000, '{"name": ' * 3_000])
def test_no_text_takes_long(text: str) -> None:
    with contextlib.suppress(WorkbenchError):  # a slip is an error, in time
        speakers.find(text, NAMES)
