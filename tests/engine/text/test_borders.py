"""Allowed and forbidden cuts of a text, at every budget, in every script of the catalogue."""

from __future__ import annotations

import re
import unicodedata

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.model import upstream
from workbench.engine.speech.text import chunk_text, n_bytes
from workbench.engine.text import borders


def _budgets(text: str) -> range:
    """From 12 to 400; where all of the text fits, nothing more can happen."""
    return range(12, min(400, n_bytes(text)) + 1)


# kind: sentences with what must stay whole in each
WHOLE = {
    "decimals, with their unit": [
        ("Gestern stieg die Temperatur auf 22,1 °C, und alle gingen an den See, um zu baden.", ["22,1 °C"]),
        ("The peak is 8,848.86 m high and the air at the top is 34.5 % of that at the sea.", ["8,848.86 m", "34.5 %"]),
        ("Le taux est de 99,5 % cette année, soit 1.250,75 € de plus que l’an dernier.", ["99,5 %", "1.250,75 €"]),
        ("Его рост 1,85 м, а вес 82,5 кг, сказал тренер вчера вечером журналистам.", ["1,85 м", "82,5 кг"]),
        ("बाजार में भाव ₹1,25,000.50 तक गया, और शाम को फिर नीचे आ गया।", ["₹1,25,000.50"]),
        ("Light travels at 299 792 458 m/s and c=3.5 is only a name, nothing more than that.", ["299 792 458 m/s", "c=3.5"]),
    ],
    "what stands around a number": [
        ("It weighs 3.5–4.2 kg or ±0.5 mm, at 60 fps and CHF 12'500, they say.", ["3.5–4.2 kg", "±0.5 mm", "60 fps", "CHF 12'500"]),
        ("Kosztuje 1 000 000,50 zł, a nie 12 zł, jak mówią; to 7 1/2 razy więcej.", ["1 000 000,50 zł", "12 zł", "7 1/2"]),
        ("यह गाँव शहर से ५.५ किमी दूर है, और स्कूल २ किमी दूर।", ["५.५ किमी", "२ किमी"]),
        ("النسبة ١٢٫٥ ٪ والمسافة ٣ كم، كما قيل أمس في المدينة.", ["١٢٫٥ ٪", "٣ كم"]),
        ("他跑了3.5公里，花了１，２３４元和3.5万円，用时12時30分。", ["3.5公里", "１，２３４元", "3.5万円", "12時30分"]),
        ("请写信给me@a.org，或看https://a.com/b,c。然后回家，明天再来。", ["me@a.org", "https://a.com/b,c"]),
    ],
    "times, dates, money": [
        ("We met at 7:45 and left at 9:30 a.m. because the train came early on that day.", ["7:45", "9:30 a.m."]),
        ("She paid $1,234.56 on 2026-11-26 and EUR 12.50 on 3/12/2026, in cash.", ["$1,234.56", "2026-11-26", "3/12/2026"]),
        ("Am 26.11.2026 um 14:30 Uhr kostete es 12.500,00 € und danach am 3. Mai nichts.", ["26.11.2026", "14:30 Uhr", "12.500,00 €", "3. Mai"]),
        ("会议在2026年11月26日14:30开始，费用是1,250.75元，请大家准时参加。", ["2026年11月26日", "14:30", "1,250.75元"]),
        ("وصلنا في ٧:٤٥ ودفعنا ١٢٫٥٠ دينار، ثم عدنا إلى البيت قبل المساء.", ["٧:٤٥", "١٢٫٥٠"]),
    ],
    "versions, addresses, telephone numbers": [
        ("Install version 2.4.1 or v3.0.0-rc1, not 10.15.7, because the others are known to fail.", ["2.4.1", "v3.0.0-rc1", "10.15.7"]),
        ("See https://example.com/a,b;c?d=1.5&e=f!g for more, or www.example.org/x, it says.", ["https://example.com/a,b;c?d=1.5&e=f!g", "www.example.org/x"]),
        ("Write to first.last+tag@mail.example.co.uk, or to me@example.de; both are read.", ["first.last+tag@mail.example.co.uk", "me@example.de"]),
        ("Rufen Sie +49 30 1234567 oder (030) 123 45 67 an, am besten vor 18:00 Uhr.", ["+49 30 1234567", "(030) 123 45 67", "18:00 Uhr"]),
        ("The host 192.168.10.254 answers at port 8080, and the file is at ftp://host/a.b,c now.", ["192.168.10.254", "ftp://host/a.b,c"]),
    ],
    "abbreviations and initials": [
        ("Dr. Smith met Mrs. Jones of St. James St. in the U.S. Senate, e.g. on Mondays.", ["Dr. Smith", "Mrs. Jones", "St. James", "St. in", "U.S. Senate", "e.g. on"]),
        ("J. R. R. Tolkien and C.S. Lewis wrote No. 5 and vol. 2 of the books, cf. p. 12.", ["J. R. R. Tolkien", "C.S. Lewis", "No. 5", "vol. 2", "cf. p. 12"]),
        ("Das gilt z. B. für Hrn. Prof. Müller, d. h. ggf. auch für uns bzw. für euch.", ["z. B. für", "Prof. Müller", "d. h. ggf. auch", "bzw. für"]),
        ("M. Dupont et Mme. Durand habitaient av. Foch, c.-à-d. près de St. Lazare, paraît-il.", ["M. Dupont", "Mme. Durand", "av. Foch", "c.-à-d. près", "St. Lazare"]),
        ("El Sr. García y la Sra. López viven en la avda. Mayor, núm. 5, en EE. UU. ahora.", ["Sra. López", "avda. Mayor", "EE. UU. ahora", "Sr. García"]),
        ("Il sig. Rossi e il dott. Bianchi, ecc. ecc. come dice l’avv. Verdi di Roma.", ["sig. Rossi", "dott. Bianchi", "avv. Verdi"]),
        ("Hän kertoi esim. tästä, ym. muusta, ja A. Virtanen vrt. aiempaan kuunteli.", ["esim. tästä", "ym. muusta", "A. Virtanen", "vrt. aiempaan"]),
        ("Tas ir, piem. šeit, utt. un J. Bērziņš to zina, t. i. visi to zina.", ["piem. šeit", "utt. un", "J. Bērziņš", "t. i. visi"]),
        ("А. С. Пушкин жил на ул. Мойка, т. е. в центре, и знал проф. Иванова.", ["А. С. Пушкин", "ул. Мойка", "т. е. в", "проф. Иванова"]),
    ],
    "closing quotes and brackets": [
        ('He said "Stop!" and "Go on, please." Then (as always...) he "left".', ['Stop!"', 'please."', '"Stop', '"Go', '(as', 'always...)', '"left".']),
        ("„Es ist zu warm.“ Dann rief er: »Komm mit!« Und sie: ‚Ja, gern.‘ So war es.", ["warm.“", "„Es", "mit!«", "»Komm"]),
        ("« Bonjour ! » dit-il. « Ça va ? » Elle répondit : « Oui, merci. » Et voilà.", ["« Bonjour ! »", "va ? »", "« Ça", "merci. »", "« Oui"]),
        ("彼は「行きます。」と言った。『はい！』彼女は（笑いながら。）答えた。", ["「行", "。」", "『は", "！』", "（笑", "。）"]),
        ("“你好！”他说：“我们走吧。”然后他（慢慢地。）走了。", ["“你", "！”", "“我", "。”", "。）"]),
        ("”Hei!” hän sanoi. ”Mennään jo, on myöhä.” Sitten (ehkä.) he lähtivät.", ["”Hei!”", "myöhä.”", "”Mennään", "(ehkä.)"]),
        ("«Привет!» — сказал он. «Пойдём, пора.» И они (все.) ушли домой.", ["«Привет!»", "пора.»", "(все.)"]),
    ],
    "dots that trail off": [
        ("I thought... perhaps not, but then… well, who knows... maybe it was true.", ["thought... perhaps", "then… well", "knows... maybe"]),
        ("Я думал... может быть, нет, но потом… ну, кто знает, что было.", ["думал... может", "потом… ну"]),
        ("Je pensais... peut-être que non, et puis… bon, qui sait ce qui arriva.", ["pensais... peut-être", "puis… bon"]),
        ("Ich dachte... vielleicht nicht, und dann… nun, wer weiß das schon so genau.", ["dachte... vielleicht", "dann… nun"]),
        ("Σκέφτηκα... ίσως όχι, και μετά… λοιπόν, ποιος ξέρει τι έγινε εκεί.", ["Σκέφτηκα... ίσως", "μετά… λοιπόν"]),
    ],
}  # fmt: skip


def _cuts_inside(text: str, chunks: list[str], whole: str) -> bool:
    """Whether a cut of ``chunks`` lies inside of any ``whole`` in ``text``, counted in characters that are no space."""

    def solid(part: str) -> str:
        return re.sub(r"\s", "", part)

    ends, at = set(), 0
    for chunk in chunks[:-1]:
        at += len(solid(chunk))
        ends.add(at)
    places = [m.start() for m in re.finditer(re.escape(whole), text)]
    assert places, f"{whole!r} is not in the text"
    return any(len(solid(text[:p])) < end < len(solid(text[: p + len(whole)])) for p in places for end in ends)


@pytest.mark.parametrize(("text", "wholes"), [case for cases in WHOLE.values() for case in cases])
def test_what_belongs_together_is_parted_at_no_budget(text, wholes):
    for budget in _budgets(text):
        chunks = chunk_text(text, budget)
        for whole in wholes:
            assert not _cuts_inside(text, chunks, whole), (budget, whole, chunks)


SENTENCES = {
    "English": ["The sun rose late.", "Nobody saw it!", "Why should they?", "It rained."],
    "German": ["Die Sonne ging spät auf.", "Niemand sah sie!", "Warum auch?", "Es regnete."],
    "French": ["Le soleil se leva tard.", "Personne ne le vit !", "Pourquoi donc ?", "Il pleuvait."],
    "Spanish": ["El sol salió tarde.", "¡Nadie lo vio!", "¿Por qué no?", "Llovía mucho."],
    "Russian": ["Солнце встало поздно.", "Никто не видел!", "Почему же?", "Шёл дождь."],
    "Hindi": ["सूरज देर से निकला।", "किसी ने नहीं देखा॥", "क्यों देखते?", "बारिश हो रही थी।"],
    "Urdu": ["سورج دیر سے نکلا۔", "کسی نے نہیں دیکھا!", "کیوں دیکھتے؟", "بارش ہو رہی تھی۔"],
    "Arabic": ["أشرقت الشمس متأخرة.", "لم يرها أحد!", "ولماذا يرونها؟", "كان المطر ينزل؛"],
    "Chinese": ["太阳升起得很晚。", "没有人看见！", "为什么要看？", "天在下雨。"],
    "Japanese": ["太陽は遅く昇った。", "誰も見なかった！", "なぜでしょうか？", "雨だった。"],
    "Armenian": ["Արևը ուշ ծագեց։", "Ոչ ոք չտեսավ։", "Ինչու պիտի տեսնեին։", "Անձրև էր գալիս։"],
    "Amharic": ["ፀሐይ ዘግይታ ወጣች።", "ማንም አላየም፤", "ለምን ያያሉ፧", "ዝናብ ነበር።"],
    "Thai": ["พระอาทิตย์ขึ้นสาย", "ไม่มีใครเห็น", "ทำไมต้องเห็นด้วย", "ฝนกำลังตก"],
}  # fmt: skip


@pytest.mark.parametrize("language", SENTENCES)
def test_sentences_of_every_script_are_found(language):
    sentences = SENTENCES[language]
    space = "" if language in ("Chinese", "Japanese") else " "
    text = space.join(sentences)
    budget = max(map(n_bytes, sentences))  # no two of them fit together
    for chunk in chunk_text(text, budget):
        assert any(space.join(sentences[i:j]) == chunk for i in range(4) for j in range(i + 1, 5)), chunk


@pytest.mark.parametrize("language", SENTENCES)
def test_no_grapheme_cluster_is_parted(language):
    text = "".join(SENTENCES[language]).replace(" ", "")
    clusters = set()
    at = 0
    for cluster in regex.findall(r"\X", text):
        at += len(cluster)
        clusters.add(at)
    for budget in _budgets(text):
        at = 0
        for chunk in chunk_text(text, budget):
            at += len(chunk)
            assert at in clusters, (budget, chunk)


@pytest.mark.parametrize(
    "line, is_heading",
    [
        ("The Boats", True), ("## 3. Boats!", True), ("CHAPTER I.", True), ("Chapter One.", True), ("XIV.", True),
        ("Chapter 12: Home again!", True), ("Chapter Two. The Boat.", True), ("Kapitel 3.", True), ("Глава 7.", True),
        ("第三章。", True), ("الفصل 2.", True), ("Capítulo IV: El barco.", True),
        ("Part of it is gone.", False), ("Yes.", False), ("He went home.", False), ("Act now!", False), ("“No!”", False),
        ("Book two seats, please.", False),
    ],
)  # fmt: skip
def test_a_line_is_a_heading_by_its_form(line: str, is_heading: bool) -> None:
    text = f"What came before it is here.\n\n{line}\n\nWhat comes after it is there."
    assert [found for *_, found in borders.blocks(text)] == [False, is_heading, False]


def test_a_heading_is_a_chunk_and_a_blank_line_ends_one():
    text = "Chapter One\n\nIt was late, and nobody\nwas left in the whole house.\r\n\r\nThen the door opened, slowly, by itself."
    assert chunk_text(text.replace("\r\n", "\n"), 400) == [
        "Chapter One",
        "It was late, and nobody was left in the whole house.",
        "Then the door opened, slowly, by itself.",
    ]


def test_short_lines_of_dialogue_share_a_chunk():
    assert len(chunk_text("“Yes.”\n\n“No.”\n\n“Why?”\n\n“Because.”", 200)) == 1


def test_a_word_is_not_parted_and_what_is_no_word_is():
    word = "Donaudampfschifffahrtsgesellschaft"
    assert chunk_text(f"Die {word} fuhr.", 12) == ["Die", word, "fuhr."]
    assert max(map(n_bytes, chunk_text("x" * 300, 60))) <= 60


def test_vowels_written_before_their_consonant_stay_with_it():
    text = "เขาไปเที่ยวเมืองไทยและแวะเยี่ยมเพื่อนที่โรงเรียนใหม่"
    for budget in _budgets(text):
        assert not any(chunk[-1] in "เแโใไ" or chunk[0] in "ะาำๆ" for chunk in chunk_text(text, budget))


def test_straight_quotes_go_by_parity_and_begin_anew_with_each_paragraph():
    text = '"One," he said, "two." \n\n"Three, and no end\n\n"Four." Done.'
    marks = [closes for _, closes in borders.quotes(text)]
    assert marks == [False, True, False, True, False, False, True]


pieces = st.sampled_from(
    ["one", "boat", "Dr.", "U.S.", "e.g.", "22,1 °C", "$1,234.56", "7:45", "2.4.1", "https://a.de/b,c?d=e", "me@a.org",
     "“yes.”", "(no!)", '"so,"', "well...", "end.", "why?", "और", "गया।", "你好。", "3个", "太阳", "é", "मैं", "سلام؟", "—",
     "x" * 30, "ไทย", "J.", "«oui !»", "\n\n", "No. 5"]
)  # fmt: skip
pasted = st.lists(st.tuples(pieces, st.sampled_from([" ", " ", " ", "", "\n"])), min_size=1, max_size=40).map(
    lambda found: "".join(a + b for a, b in found)
)
anything = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=300)


@given(text=st.one_of(pasted, anything), budget=st.integers(12, 400))
@settings(max_examples=150, deadline=None)
def test_every_character_is_spoken_and_a_chunk_is_over_the_budget_only_where_it_cannot_be_cut(text, budget):
    text = unicodedata.normalize("NFC", text)
    chunks = chunk_text(text, budget)
    assert re.sub(r"\s", "", "".join(chunks)) == re.sub(r"\s", "", text)
    at = 0
    for chunk in chunks:
        assert chunk
        if n_bytes(chunk) > budget:
            assert not any(_allowed_cuts(text, chunk, at)), chunk
        at += len(re.sub(r"\s", "", chunk))


def _allowed_cuts(text: str, chunk: str, at: int) -> list[int]:
    """Cuts inside ``chunk``, which begins at the character ``at`` of ``text`` without its spaces, at its spaces."""
    index = [i for i, c in enumerate(text) if not re.match(r"\s", c)]
    low, high = index[at], index[at + len(re.sub(r"\s", "", chunk)) - 1] + 1
    glued = borders.glue(text)
    return [m.end() for m in re.finditer(r"\s+", text[low:high]) if not glued[low + m.end()]]


# our own borders, where upstream has them too: words with upstream's marks, and no abbreviation among them
words = st.lists(st.text("abcdefghijk", min_size=4, max_size=12), min_size=1, max_size=8).map(" ".join)
marks = st.sampled_from([". ", ", ", "! ", "? ", "; ", "。", "，", ": ", "！", "；"])
prose = st.lists(st.tuples(words, marks), min_size=1).map(lambda found: "".join(w + end for w, end in found))


@given(text=prose, budget=st.integers(120, 400))
@settings(max_examples=150, deadline=None)
@pytest.mark.slow
def test_upstreams_result_stays_where_upstream_is_not_at_fault(text, budget):
    theirs = upstream.function("chunk_text")
    assert chunk_text(text, budget) == [c for c in theirs(text, max_chars=budget) if c]
