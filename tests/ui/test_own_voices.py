"""Uploads that last, are heard before their words are known, and are saved as voices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.ui.helpers import buttons_of
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.recordings import library
from workbench.engine.speech.voices import load_voice
from workbench.ui.uploads import Upload, Uploads

WORDS = "Some words are said in it."


@pytest.fixture
def uploaded(open_page: Any, speech: np.ndarray) -> Any:
    """The page Synthesize with a recording whose words are not typed yet."""
    at = open_page()
    at.segmented_control(key="voice_source").set_value("Upload").run()
    at.file_uploader(key="voice_file").upload("me.wav", to_bytes(speech, 24_000), "audio/wav").run()
    assert not at.exception and not at.error
    return at


def typed(at: Any, words: str = WORDS) -> Any:
    at.text_input(key="voice_words_Upload").set_value(words).run()
    assert not at.exception and not at.error
    return at


def recordings(at: Any) -> list[str]:
    """Titles of what the buttons of the voice play."""
    return [sound["title"] for sound in buttons_of(at) if not sound["key"].startswith("run:")]


def is_there(at: Any) -> bool:
    return any("me, from before" in caption.value for caption in at.caption)


def test_a_recording_is_heard_and_checked_before_its_words_are_known(uploaded: Any) -> None:
    assert recordings(uploaded) == ["Recording me"] and uploaded.button(key="go").disabled
    quiet = to_bytes(0.002 * np.random.default_rng(0).standard_normal(24_000).astype(np.float32), 24_000)
    uploaded.file_uploader(key="voice_file").upload("quiet.wav", quiet, "audio/wav").run()
    assert recordings(uploaded) == ["Recording quiet"] and any("⚠" in caption.value for caption in uploaded.caption)
    assert not any("bytes of text" in caption.value for caption in uploaded.caption)  # there is no text to judge


@pytest.mark.parametrize("content", [b"", b"not audio at all" * 100])
def test_what_is_no_recording_is_named_at_once(open_page: Any, content: bytes) -> None:
    at = open_page()
    at.segmented_control(key="voice_source").set_value("Upload").run()
    at.file_uploader(key="voice_file").upload("me.wav", content, "audio/wav").run()
    assert not at.exception and len(at.error) == 1 and not recordings(at)
    assert at.error[0].value.startswith("'me.wav' is ")
    at.text_input(key="voice_words_Upload").set_value(WORDS).run()
    assert len(at.error) == 1 and at.error[0].value.startswith("'me.wav' is ")


def test_an_upload_survives_bundled_and_back_another_page_and_a_reload(uploaded: Any, open_page: Any) -> None:
    at = typed(uploaded)
    at.segmented_control(key="voice_source").set_value("Bundled").run()
    at.segmented_control(key="voice_source").set_value("Upload").run()
    assert is_there(at) and at.text_input(key="voice_words_Upload").value == WORDS and not at.button(key="go").disabled
    at.switch_page("views/runs.py").run()
    at.switch_page("views/synthesize.py").run()
    assert is_there(at) and not at.button(key="go").disabled
    token = "".join(at.query_params["voice"])
    again = open_page(voice=token)
    assert again.segmented_control(key="voice_source").value == "Upload" and is_there(again)
    assert again.text_input(key="voice_words_Upload").value == WORDS and not again.button(key="go").disabled
    again.button(key="voice_forget_Upload").click().run()
    assert not is_there(again) and again.button(key="go").disabled
    assert not is_there(open_page(voice=token))


@pytest.mark.parametrize("token", ["", "x", "../../etc/passwd", "a" * 10_000])
def test_nobody_guesses_the_upload_of_another(uploaded: Any, open_page: Any, token: str) -> None:
    at = open_page(voice=token)
    assert at.segmented_control(key="voice_source").value == "Bundled" and not at.exception


def test_an_upload_is_kept_as_a_voice_for_every_page(uploaded: Any, open_page: Any) -> None:
    at = typed(uploaded)
    (name,) = [box for box in at.text_input if box.key and box.key.startswith("voice_keep_name_")]
    assert name.value == "me"
    name.set_value("nature-en").run()
    at.button(key="voice_keep").click().run()
    assert len(at.error) == 1 and "A bundled voice has the name" in at.error[0].value and library.scan() == ([], [])
    (name,) = [box for box in at.text_input if box.key and box.key.startswith("voice_keep_name_")]
    name.set_value("Anna").run()
    at.button(key="voice_keep").click().run()
    assert not at.exception and not at.error
    assert at.segmented_control(key="voice_source").value == "Bundled"
    assert at.selectbox(key="voice_name").value == "Anna" and not at.button(key="go").disabled
    assert load_voice("anna").ref_text == WORDS and library.find("Anna").document["made_from"] == "me"
    assert any(option.startswith("Anna") for option in open_page().selectbox(key="voice_name").options)
    library.remove_voice("Anna")
    assert not any(option.startswith("Anna") for option in open_page().selectbox(key="voice_name").options)


def test_uploads_are_bounded_and_the_newest_stays() -> None:
    kept = Uploads(limit_bytes=1_000, limit_count=3)
    tokens = [kept.put(Upload("Upload", str(k), b"x" * 400, str(k))) for k in range(4)]
    assert [kept.get(token) is not None for token in tokens] == [False, False, True, True]
    large = kept.put(Upload("Upload", "large", b"x" * 5_000, "large"))
    assert kept.get(large) is not None and kept.get(tokens[-1]) is None
    small = [kept.put(Upload("Upload", str(k), b"", str(k))) for k in range(5)]
    assert sum(kept.get(token) is not None for token in small) == 3 and len(set(small)) == 5
