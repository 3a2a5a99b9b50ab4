"""Choose the voice: a bundled or saved one, a file, a recording, or the voice of the run that a link opened."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import unicodedata
from pathlib import PurePath
from typing import Any

import streamlit as st

from workbench.engine.errors import WorkbenchError
from workbench.engine.signal.audio import to_bytes
from workbench.engine.speech.recordings import library
from workbench.engine.speech.recordings.reading import told_of_unread
from workbench.engine.speech.recordings.references import Reference, read_reference
from workbench.engine.speech.voices import Voice, make_voice
from workbench.ui import dock, resources
from workbench.ui.uploads import Upload

BUNDLED, UPLOAD, RECORD, OF_RUN = "Bundled", "Upload", "Record", "Voice of this run"
MAX_MEGABYTES = 20
SAMPLE_RATE = 24_000
# The server decodes one upload at a time. That needs at most 120 MB (see ``decoding.decode``) and the upload's size.
_DECODING = threading.Lock()


def pick_voice(model: str) -> Voice | None:
    """Draw the choice and return the voice; None while something is missing, which the page then names.

    ``model`` is the one to speak with: words that it cannot read are named.
    """
    _adopt()
    kinds = [BUNDLED, UPLOAD, RECORD] + ([OF_RUN] if st.session_state.get("voice_run") else [])
    source = st.segmented_control(
        "Voice", kinds, default=BUNDLED, key="voice_source", required=True, persist_state="session"
    )
    try:
        voice = _of_run() if source == OF_RUN else _bundled(model) if source == BUNDLED else _own(source)
    except WorkbenchError as error:
        st.error(str(error))
        return None
    if voice is not None:
        _show(voice, model)
    return voice


def _bundled(model: str) -> Voice:
    """Draw the list, with the voices last whose words ``model`` cannot read; return the chosen one."""
    voices, known = {v.name: v for v in resources.bundled_voices()}, resources.vocabulary(model)
    unread = {name for name, voice in voices.items() if told_of_unread(voice.ref_text, model, known)}

    def shown(name: str) -> str:
        voice = voices[name]
        return " · ".join([name, voice.language, f"not for {model}" if name in unread else voice.source])

    name = st.selectbox(
        "Bundled voice",
        sorted(voices, key=lambda name: name in unread),
        format_func=shown,
        key="voice_name",
        label_visibility="collapsed",
        persist_state="session",
    )
    return resources.bundled_voice(name)


def _of_run() -> Voice:
    """Return the voice of the run that a link opened."""
    voice = resources.voice_of_run(st.session_state["voice_run"])
    st.caption(f"{_plain(voice.name)}, stored with the run")
    return voice


def _own(source: str) -> Voice | None:
    if source == UPLOAD:
        given = st.file_uploader(
            f"Recording of a voice, 3 to 10 s, up to {MAX_MEGABYTES} MB",
            type=["wav", "flac", "ogg", "mp3", "m4a", "aac", "mp4", "webm", "amr", "aiff", "aif", "au", "caf"],
            max_upload_size=MAX_MEGABYTES,
            key="voice_file",
        )
    else:
        given = st.audio_input("Speak for 3 to 10 seconds", sample_rate=SAMPLE_RATE, key="voice_recording")
    key = f"voice_words_{source}"
    if filled := st.session_state.pop(f"{key}_heard", None):  # before the widget: its state cannot be set later
        st.session_state[key] = filled
    words = st.text_input(
        "What is said in it",
        key=key,
        placeholder="every word of the recording, with punctuation",
        help="The model aligns the recording with these words.",
        persist_state="session",
    )
    upload = _kept(source, given)
    if upload is None:
        st.caption("Choose a file." if source == UPLOAD else "Press the microphone, speak, press it again.")
        return None
    upload.words = words
    data, digest, name = upload.content, upload.digest, upload.name
    checked = _checked(digest, upload.file or name, data)
    if not words.strip():
        _show_recording(checked, name)
        st.caption("Type the words of the recording, or have them filled in.")
        _fill_in(key, digest, name, data)
        return None
    voice = _prepared(digest, words, name, data, False)
    shorten = bool(voice.long_pauses) and st.checkbox(
        "Shorten its long silences", key=f"voice_shorten_{source}", persist_state="session"
    )
    if shorten:
        voice = _prepared(digest, words, name, data, True)
    heard = st.session_state.get(f"{key}_by")
    if heard is not None and (heard.id, heard.ref_text) == (digest, voice.ref_text):
        st.caption(f":orange[⚠ {heard.heard_by} filled in these words: check them.]")
        voice = dataclasses.replace(voice, heard_by=heard.heard_by, language=heard.language)
    _keep(voice, name, shorten)
    return voice


def _adopt() -> None:
    """Take up what was kept: a voice that was just saved, and after a reload the upload that the address names."""
    state = st.session_state
    if saved := state.pop("voice_saved", None):
        state["voice_source"], state["voice_name"] = BUNDLED, saved
        st.toast(f"Saved the voice {saved}.")
    if state.get("voice_adopted"):
        return
    state["voice_adopted"] = True
    token = st.query_params.get("voice")
    if (upload := resources.uploads().get(token)) is not None:
        state[f"voice_kept_{upload.source}"] = token
        state.setdefault(f"voice_words_{upload.source}", upload.words)
        state.setdefault("voice_source", upload.source)


def _kept(source: str, given: Any) -> Upload | None:
    """Return the recording of the widget, or the one that it held before; None if there was none."""
    state, key = st.session_state, f"voice_kept_{source}"
    found = resources.uploads().get(state.get(key))
    if given is not None:
        data = given.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        if found is None or found.digest != digest:
            name = clean_name(given.name)
            found = Upload(source, shown_name(name), data, digest, file=name)
            state[key] = resources.uploads().put(found)
    elif found is not None:
        line, button = st.columns([3, 1], vertical_alignment="center")
        line.caption(f"{_plain(found.name)}, from before")
        if button.button("Forget", key=f"voice_forget_{source}", width="stretch"):
            resources.uploads().forget(state.pop(key))
            st.query_params.pop("voice", None)
            st.rerun()
    if found is not None:
        st.query_params["voice"] = state[key]  # for a reload; page links drop it
    return found


def _keep(voice: Voice, name: str, shortened: bool) -> None:
    """Offer to save ``voice`` under a name."""
    with st.expander("Keep as voice", icon=":material/bookmark_add:"):
        wanted = st.text_input("Name", name, key=f"voice_keep_name_{voice.id}", max_chars=library.NAME_MAX_CHARACTERS)
        if st.button("Keep", key="voice_keep", icon=":material/save:"):
            try:
                saved = library.keep_voice(voice, wanted, made_from=name, shorten_pauses=shortened)
            except WorkbenchError as error:
                st.error(str(error))
                return
            st.session_state["voice_saved"] = saved.name
            st.rerun()


@st.cache_resource(show_spinner=False, max_entries=16)
def _checked(digest: str, name: str, _data: bytes) -> Reference:
    with _DECODING:
        return read_reference(_data, SAMPLE_RATE, name)


def _show_recording(found: Reference, name: str) -> None:
    """Draw a recording the words of which are not known yet."""
    seconds = len(found.wave) / found.rate
    with st.container(horizontal=True, vertical_alignment="center"):
        dock.button(dock.of_bytes(to_bytes(found.wave, found.rate), f"Recording {name}"), key="play_recording")
        st.caption(f"{seconds:.2f} s")
    for warning in found.warnings():
        st.caption(f":orange[⚠ {_plain(warning)}]")


def _fill_in(key: str, digest: str, name: str, data: bytes) -> None:
    """Button that has a recogniser write the words into the text field ``key``, for the visitor to check."""
    if not st.button("Fill in the words", icon=":material/hearing:", key=f"{key}_fill"):
        return
    with st.spinner("Listening"):
        heard = _heard(digest, name, data)
    st.session_state[f"{key}_heard"] = heard.ref_text
    st.session_state[f"{key}_by"] = heard.ref.replace(id=digest)
    st.rerun()


@st.cache_resource(show_spinner=False, max_entries=16)
def _heard(digest: str, name: str, _data: bytes) -> Voice:
    """The recording with the words that a recogniser heard."""
    with _DECODING:
        return make_voice(_data, name=name)


@st.cache_resource(show_spinner=False, max_entries=16)
def _prepared(digest: str, words: str, name: str, _data: bytes, shorten: bool = False) -> Voice:
    with _DECODING:
        voice = make_voice(_data, words, name=name, shorten_pauses=shorten)
    return resources.remember_voice(voice)


def clean_name(name: Any) -> str:
    """Return the last part of a file name without control characters."""
    last = PurePath(str(name).replace("\\", "/")).name
    return "".join(c for c in last if unicodedata.category(c)[0] != "C").strip(". ")


def shown_name(name: Any) -> str:
    """Return the last part of a file name without suffix and control characters, 60 characters at most."""
    return PurePath(clean_name(name)).stem[:60] or "recording"


def _show(voice: Voice, model: str) -> None:
    dock.button(dock.of_voice(voice), "Reference", key="play_reference")
    st.caption(f"{voice.seconds:.2f} s · {voice.frames} frames · “{_plain(voice.ref_text)}”")
    unread = told_of_unread(voice.ref_text, model, resources.vocabulary(model))
    for warning in (*voice.warnings, *unread):
        st.caption(f":orange[⚠ {_plain(warning)}]")


def _plain(text: str) -> str:
    """Return ``text`` for a caption, escaped so that Markdown shows it unchanged."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#+-.!|~$:^=@&" else c for c in text)
