"""Words for numbers: every kind in English, the known kinds in other languages, digits otherwise."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.text import number_languages
from workbench.engine.text import numbers
from workbench.engine.text.preparing import prepare

ENGLISH = {
    "codes": [
        ("Your code is 7314.", "Your code is seven three one four."),
        ("Enter PIN 0042 now.", "Enter PIN zero zero four two now."),
        ("The password is 90210!", "The password is nine zero two one zero!"),
        ("Room 101 is free.", "Room one zero one is free."),
        ("Agent 007 called.", "Agent zero zero seven called."),
    ],
    "telephone numbers": [
        ("Call 555-123-4567.", "Call five five five, one two three, four five six seven."),
        ("Dial 555-1234.", "Dial five five five, one two three four."),
        ("It is +49 30 1234567.", "It is plus four nine, three zero, one two three four five six seven."),
        ("Or (555) 123-4567.", "Or five five five, one two three, four five six seven."),
        ("Ring 020 7946 0958.", "Ring zero two zero, seven nine four six, zero nine five eight."),
    ],
    "years and dates": [
        ("It began in 1984.", "It began in nineteen eighty-four."),
        ("Since 2005 it rains.", "Since two thousand and five it rains."),
        ("By 2026, all was done.", "By twenty twenty-six, all was done."),
        ("In the 1990s we sang.", "In the nineteen nineties we sang."),
        ("From 1939–1945.", "From nineteen thirty-nine to nineteen forty-five."),
        ("On 2026-11-26 it was.", "On November twenty-sixth, twenty twenty-six it was."),
        ("On November 26, 2026.", "On November twenty-sixth, twenty twenty-six."),
        ("On 3 May 1999.", "On the third of May nineteen ninety-nine."),
    ],
    "times": [
        ("At 7:45 sharp.", "At seven forty-five sharp."),
        ("At 9:30 a.m. we left.", "At nine thirty a.m. we left."),
        ("At 14:05.", "At fourteen oh five."),
        ("At 7:00 exactly.", "At seven o'clock exactly."),
        ("It is 7 pm now.", "It is seven pm now."),
    ],
    "money": [
        ("It costs $1,234.56.", "It costs one thousand two hundred and thirty-four dollars and fifty-six cents."),
        ("Only €5!", "Only five euros!"),
        ("A £0.99 pen.", "A ninety-nine pence pen."),
        ("He has $5 million.", "He has five million dollars."),
        ("Pay 20 USD or 3.50 €.", "Pay twenty dollars or three euros and fifty cents."),
        ("Just $1.", "Just one dollar."),
    ],
    "percentages, ordinals, units, decimals": [
        ("About 99.5% of it.", "About ninety-nine point five percent of it."),
        ("At 50 % off.", "At fifty percent off."),
        ("The 1st, 22nd and 103rd.", "The first, twenty-second and one hundred and third."),
        ("It is 5 km long.", "It is five kilometers long."),
        ("Only 1 km more.", "Only one kilometer more."),
        ("At -5 °C it froze.", "At minus five degrees Celsius it froze."),
        ("At 60 km/h.", "At sixty kilometers per hour."),
        ("Pi is 3.14159.", "Pi is three point one four one five nine."),
        ("Take 1/2 or 1½ cups.", "Take one half or one and one half cups."),
        ("It was 10–20 kg.", "It was ten to twenty kilograms."),
        ("Use version 2.4.1.", "Use version two point four point one."),
        ("There are 1,000,000 stars.", "There are one million stars."),
        ("It won 3:1.", "It won three to one."),
        ("An MP3 of No. 5.", "An MP three of number five."),
        ("At 5:07pm or 7am.", "At five oh seven pm or seven am."),
        ("Take v2.0 to the B2B, by 17:30h.", "Take v two point zero to the B two B, by seventeen thirty h."),
    ],
}


def said(text: str, *languages: str) -> str:
    return prepare(text, None, languages).said()


@pytest.mark.parametrize(("written", "spoken"), [case for cases in ENGLISH.values() for case in cases])
def test_english(written, spoken):
    assert said(written, "en") == spoken


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("de", "Es sind 22,1 und 99,5 %.", "Es sind zweiundzwanzig Komma eins und neunundneunzig Komma fünf Prozent."),
        ("de", "Er hat 1.250 Bücher.", "Er hat eintausendzweihundertfünfzig Bücher."),
        ("fr", "Il y a 1 250 pages et 50 %.", "Il y a mille deux cent cinquante pages et cinquante pour cent."),
        ("es", "Son 3,5 o 12.", "Son tres coma cinco o doce."),
        ("it", "Sono 12 e 99,5%.", "Sono dodici e novantanove virgola cinque per cento."),
        ("fi", "Se on 12 tai 3,5.", "Se on kaksitoista tai kolme pilkku viisi."),
        ("lv", "Tas ir 12.", "Tas ir divpadsmit."),
        ("ru", "Их было 12 или 50 %.", "Их было двенадцать или пятьдесят процентов."),
        ("ar", "هنا ١٢ و 3.", "هنا اثنا عشر و ثلاثة."),
        ("zh", "今天22.5度，占99.5%。", "今天二十二点五度，占百分之九十九点五。"),
        ("zh", "2026年11月26日7:45见。", "二零二六年十一月二十六日七点四十五分见。"),
        ("zh", "电话13800138000。", "电话一三八零零一三八零零零。"),
    ],
)
def test_other_languages(language, written, spoken):
    assert said(written, language) == spoken


@pytest.mark.parametrize("language", ["hi", "ja", "ko", "xx"])
def test_a_language_that_is_not_known_keeps_its_digits(language):
    assert said("A 12 and 3.5%.", language) == "A 12 and 3.5%."


@pytest.mark.parametrize("written", ["am 3. Mai", "um 7:45 Uhr", "030 1234567", "3.5.2026", "A4 und MP3", "v2.4.1"])
def test_what_another_language_inflects_is_left_as_written(written):
    assert said(written, "de") == written


def test_a_model_of_two_languages_is_told_apart_by_script():
    assert said("12 boats.\n有12个。", "en", "zh") == "twelve boats. 有十二个。"
    assert said("12 лодок", "en", "zh") == "12 лодок"


def test_numbers_are_off_on_request_and_where_no_language_is_known():
    assert number_languages(("en",), "", SynthesisSettings()) == ("en",)
    assert number_languages((), "de", SynthesisSettings()) == ("de",)
    assert number_languages((), "", SynthesisSettings()) == ()
    assert number_languages(("en",), "en", SynthesisSettings(numbers="off")) == ()


def test_a_number_is_spoken_only_in_letters_the_model_has():
    assert prepare("12 лодок", frozenset("12 лодк"), ["ru"]).spoken == ()


@given(st.text("0123456789.,:/-–$€%°C km+()#' eE½v\n", max_size=60), st.sampled_from(numbers.LANGUAGES))
@settings(max_examples=300, deadline=None)
def test_any_row_of_digits_and_signs_is_said_or_left(text, language):
    end = 0
    for low, high, words in numbers.spoken(text, [language]):
        assert end <= low < high <= len(text) and words.strip()
        assert not re.search(r"\d", words)
        end = high


@pytest.mark.parametrize("language", numbers.LANGUAGES)
def test_a_number_of_five_thousand_digits_is_no_error(language):
    assert numbers.spoken("9" * 5000 + " $" + "1" * 5000 + ".5 " + "8" * 5000 + "th", [language]) is not None
