"""The words of a reference that nobody wrote down: a recogniser hears the prepared recording."""

from __future__ import annotations

import numpy as np

from workbench.engine.asr.recogniser import Heard, load_recogniser
from workbench.engine.errors import RecogniserError, VoiceError
from workbench.engine.visible import quoted

UNSURE = 0.5  # below this confidence, most transcripts have a wrong word


def heard_words(wave: np.ndarray, rate: int, title: str, language: str = "") -> Heard:
    """What is said in ``wave``, the prepared recording, float32 [n_samples] at ``rate`` Hz; numbers as words.

    Raises:
        VoiceError: no words are heard, or nothing here can listen; the message names what to install and to fetch.
    """
    try:
        heard = load_recogniser(language=language).hear(wave, rate, language=language, spelled=True)
    except RecogniserError as error:
        raise VoiceError(
            f"The text of the reference {quoted(title)} is missing. {error.what}",
            remedy=f"Write down what is said in it (--ref-text on the command line). Or: {error.remedy}",
        ) from error
    if not any(character.isalnum() for character in heard.text):
        raise VoiceError(
            f"{heard.recogniser} hears no words in {quoted(title)}.",
            remedy="Write down what is said in it (--ref-text on the command line), or use another recording.",
        )
    return heard


def told_of(heard: Heard) -> str:
    """What to say about filled-in words, so that somebody checks them."""
    sure = f", and is unsure of them (confidence {heard.confidence:.2f})" if heard.confidence < UNSURE else ""
    return f"{heard.recogniser} filled in the words ({heard.language}){sure}: “{heard.text}”; check them"
