"""Changes and offers for a pasted text; each of them is reported."""

from __future__ import annotations

import string
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.engine.catalog import packaged_vocab
from workbench.engine.errors import TextError
from workbench.engine.text import normalise
from workbench.engine.text.preparing import prepare

SMALL = frozenset(string.ascii_letters + string.digits + " .,'!?:;-\"()")  # the demo voice's
RELEASED = frozenset(packaged_vocab().read_text("utf-8").splitlines())

# (typed, shown, what of it was changed)
CHANGED = [
    ("cafe\u0301", "café", ["e\u0301"]),
    ("и\u0306од", "йод", ["и\u0306"]),
    ("ㄱ\u1100\u1161나", "ㄱ가나", ["\u1100\u1161"]),
    ("ά".replace("ά", "α\u0301"), "ά", ["α\u0301"]),
    ("o\u031b\u0323", "ợ", ["o\u031b\u0323"]),
    ("zero\u200bwidth", "zerowidth", ["\u200b"]),
    ("\ufeffBOM", "BOM", ["\ufeff"]),
    ("soft\u00adhyphen", "softhyphen", ["\u00ad"]),
    ("\u202bשלום\u202c", "שלום", ["\u202b", "\u202c"]),
    ("при\u2060вет", "привет", ["\u2060"]),
    ("你\u200b好", "你好", ["\u200b"]),
    ("لا\u200eم", "لام", ["\u200e"]),
    ("a\u200cb", "ab", ["\u200c"]),
    ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour", ["\r\n", "\r", "\u2028"]),
    ("two   boats", "two boats", ["   "]),
]


@pytest.mark.parametrize(("typed", "shown", "before"), CHANGED)
def test_what_cannot_be_meant_is_changed_and_reported(typed, shown, before):
    prepared = prepare(typed)
    assert prepared.text == shown
    assert [change.before for change in prepared.changes] == before
    assert all(typed[c.start : c.end] == c.before for c in prepared.changes)


# (typed, spoken by a model that knows letters, digits and a few marks)
STAND_INS = [
    ("１２３４", "1234"), ("Ａｂｃ", "Abc"), ("٣٤", "34"), ("३४", "34"), ("ﬁne ﬂow", "fine flow"), ("ĳs", "ijs"),
    ("“yes” ‘no’", "“yes” ‘no’"), ("„ja“ «oui»", '"ja“ "oui"'), ("a – b", "a - b"), ("non‑breaking", "non-breaking"),
    ("word—word", "word - word"), ("well…", "well..."), ("x²", "x2"), ("①", "1"), ("㎏", "kg"), ("Ⅷ", "VIII"),
    ("so。then", "so. then"), ("what？！", "what? !"), ("a،b؟", "a, b?"), ("¿que?", "que?"), ("5′", "5’"), ("go！", "go!"),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "spoken"), STAND_INS)
def test_what_the_vocabulary_lacks_has_a_stand_in(typed, spoken):
    prepared = prepare(typed, SMALL)
    assert prepared.said().replace(" ", "") == spoken.replace(" ", "")
    assert not prepared.lacking
    assert bool(prepared.changes) == (typed != spoken)


@pytest.mark.parametrize(
    "typed", ["“so” – said… «he» １", "你好，世界。「是」！", "Größe, café, ñandú", "привет — мир", "x² ½ €5"]
)
def test_what_the_vocabulary_has_stays(typed):
    prepared = prepare(typed, RELEASED | frozenset("１"))
    assert prepared.text == typed and not prepared.changes


@pytest.mark.parametrize("typed", ["می\u200cخواهم", "क्\u200dष", "نامه\u200cها", "ക്\u200dഷ", "শ্\u200cক"])
def test_joiners_stay_where_a_script_needs_them(typed):
    assert prepare(typed).text == typed


OFFERED = [
    ("# Title\n\nText.", "Title\n\nText."), ("Some **bold** and *slanted* words.", "Some bold and slanted words."),
    ("An __underlined__ and _slanted_ word, snake_case stays.", "An underlined and slanted word, snake_case stays."),
    ("* one\n- two\n• three", "one\ntwo\nthree"), ("> quoted\n> again", "quoted\nagain"),
    ("Call `f(x)` now.", "Call f(x) now."), ("See [the page](https://a.org/b) here.", "See the page here."),
    ("A fact.[12] Next.", "A fact. Next."), ("Salt &amp; pepper", "Salt & pepper"), ("one\n---\ntwo", "one\n\ntwo"),
    ("Hello 😀 there 👩‍🚀", "Hello  there "), ("Done ✅ 🇩🇪 👍🏽", "Done   "), ("3️⃣ steps", " steps"),
    ("[laugh] Hi <emphasis>you</emphasis>", " Hi you"), ("He said [softly] no.", "He said softly no."),
    ("你好 😀 **世界**", "你好  世界"), ("Привет, *мир* 🎉", "Привет, мир "), ("नमस्ते **दुनिया** 🙏", "नमस्ते दुनिया "),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "cleaned"), OFFERED)
def test_what_would_take_something_away_is_offered_and_not_done(typed, cleaned):
    prepared = prepare(typed)
    assert prepared.offers and prepared.cleaned == cleaned
    assert prepared.text == typed, "nothing is left out unasked"
    assert not prepare(cleaned).offers


@pytest.mark.parametrize(
    "typed", ["2 * 3 * 4", "a_b_c", "5 > 3", "He is [", "C# and F#", "1. First", "-5 degrees", "f(x)"]
)
def test_ordinary_signs_are_no_markdown(typed):
    assert not prepare(typed).offers


@pytest.mark.parametrize(
    ("typed", "named"),
    [("你好 friend", ["你", "好"]), ("привет", ["п", "р", "и", "в", "е", "т"]), ("नमस्ते", ["न"]), ("α and β", ["α", "β"]),
     ("Hello 😀", ["😀"]), ("[sigh] well", ["[sigh]"])],
)  # fmt: skip
def test_what_cannot_be_spoken_is_named_as_it_was_typed(typed, named):
    with pytest.raises(TextError) as error:
        prepare(typed, SMALL).check()
    assert all(repr(name) in str(error.value) for name in named) and "hao3" not in str(error.value)
    prepared = prepare(typed, SMALL)
    assert all(typed[c.start : c.end] == c.before for c in prepared.lacking)


def test_accents_a_model_lacks_are_offered_plain():
    prepared = prepare("café Ærø œuvre", SMALL)
    assert prepared.lacking and prepared.cleaned == "cafe Aero oeuvre"
    prepare(prepared.cleaned, SMALL).check()


def test_pinyin_that_a_model_lacks_is_reported_as_its_character(tiny_engine, voice):
    with pytest.raises(TextError) as error:
        tiny_engine.plan("你好 friend", voice)
    assert "'你' (U+4F60), '好' (U+597D)" in str(error.value) and "ni2" not in str(error.value)


def test_one_line_says_what_was_changed():
    line = normalise.summary(prepare("a\u200bb\u200bc ﬁne", SMALL).changes)
    assert line == "U+200B left out (2 times), 'ﬁ' as 'fi'"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00<["), max_size=80))
@settings(max_examples=150, deadline=None)
def test_changes_lead_from_the_typed_to_the_shown_text(typed):
    for vocabulary in (None, SMALL):
        prepared = prepare(typed, vocabulary)
        assert normalise.applied(typed, prepared.changes) == prepared.text
        places = [prepared.place(i) for i in range(len(prepared.text))]
        assert places == sorted(places)
        changed = {i for c in prepared.changes for i in range(c.start, c.end)}
        assert all(typed[p] == prepared.text[i] for i, p in enumerate(places) if p not in changed)
        assert unicodedata.is_normalized("NFC", typed) or prepared.changes
