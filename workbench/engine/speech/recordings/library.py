"""Voices that a user saved under a name: ``voices/NAME/`` with the prepared recording and its words."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.engine.errors import OutputError, SettingsError, VoiceError, reason_of, remedy_for
from workbench.engine.files.clutter import is_clutter
from workbench.engine.files.leftovers import claim, sweep
from workbench.engine.files.places import home
from workbench.engine.files.writing import sha256_of, write_json
from workbench.engine.logs import pairs
from workbench.engine.rules import REFERENCE_MAX_SECONDS, SENTENCE_MAX_BYTES
from workbench.engine.signal.audio import exact_bytes, read_exact
from workbench.engine.speech.recordings import bundled
from workbench.engine.speech.recordings.bundled import BundledVoice
from workbench.engine.speech.requests import VoiceRef
from workbench.engine.visible import quoted

if TYPE_CHECKING:
    from workbench.engine.speech.voices import Voice

log = logging.getLogger("workbench.voices")

OWN = "yours"  # ``SavedVoice.source``
NAME_MAX_CHARACTERS = 60
RECORDING, DOCUMENT = "recording.wav", "voice.json"
_DOCUMENT_MAX_BYTES = 2**16
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # by Windows
_PUNCTUATION = frozenset(" -_.'’()+&,")


@dataclass(frozen=True)
class SavedVoice(BundledVoice):
    """A voice of the library; its audio has not been read.

    Attributes:
        id: as ``Voice.id``.
        sha256: of the recording's file.
        document: everything in voice.json.
    """

    id: str
    sha256: str
    document: dict[str, Any]

    @property
    def ref(self) -> VoiceRef:
        """This voice for a request, with its prepared recording."""
        heard_by = self.document.get("heard_by")
        known = heard_by if isinstance(heard_by, str) else ""
        return VoiceRef(self.id, self.name, self.ref_text, self.language, str(self.path), known)


def voices_root() -> Path:
    """Return the folder of saved voices, ``voices/`` in ``places.home()``. It may not exist yet."""
    return home() / "voices"


def list_voices() -> list[BundledVoice]:
    """Return all voices: the bundled ones, then the saved ones by name. Reads no audio; damaged ones are left out."""
    try:
        saved = scan()[0]
    except VoiceError as error:
        log.warning("%s", error)
        saved = []
    return [*bundled.list_voices(), *saved]


def scan() -> tuple[list[SavedVoice], list[tuple[str, str]]]:
    """Return the saved voices by name, and (name, problem) of every folder that holds none.

    Raises:
        VoiceError: the folder of voices cannot be read.
    """
    try:
        with os.scandir(voices_root()) as entries:
            names = [e.name for e in entries if e.is_dir(follow_symlinks=False) and not _is_hidden(e.name)]
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise VoiceError(
            f"The folder of voices {voices_root()} cannot be read: {reason_of(error)}.",
            remedy="Check who owns it, or set WORKBENCH_HOME to another folder.",
        ) from error
    good, broken = [], []
    for name in sorted(names, key=_key):
        try:
            good.append(_read(voices_root() / name))
        except VoiceError as error:
            broken.append((name, str(error)))
    return good, broken


def same_name(one: str, other: str) -> bool:
    """Return whether two names are equal but for capital letters and the composition of characters."""
    return _key(one) == _key(other)


def refuse_damaged(name: str | None) -> None:
    """Raise VoiceError with the reason if ``name`` is a saved voice that cannot be used."""
    for folder, problem in scan()[1]:
        if name is not None and same_name(folder, name):
            raise VoiceError(problem)


def find(name: str) -> SavedVoice:
    """Return the saved voice ``name``.

    Raises:
        VoiceError: there is none, or it is damaged; the message says which.
    """
    for voice in scan()[0]:
        if same_name(voice.name, name):
            return voice
    refuse_damaged(name)
    raise VoiceError(f"There is no saved voice {quoted(name)}.", remedy="See `workbench voices ls`.")


def check_recording(voice: SavedVoice) -> None:
    """Raise VoiceError unless the recording of ``voice`` has the bytes that were saved."""
    try:
        if sha256_of(voice.path) == voice.sha256:
            return
        problem = f"the bytes of {RECORDING} have changed"
    except OSError as error:
        problem = f"{RECORDING}: {reason_of(error)}"
    raise _damaged(voice.name, problem)


def checked_name(name: str) -> str:
    """Return ``name`` as it is saved: composed, without space around it.

    Raises:
        VoiceError: it is no name for a folder on every system, or a voice has it already.
    """
    clean = " ".join(unicodedata.normalize("NFC", name).split()) if isinstance(name, str) else ""
    odd = next((c for c in clean if not (unicodedata.category(c)[0] in "LMN" or c in _PUNCTUATION)), None)
    problem = (
        "is empty" if not clean
        else f"has {len(clean)} characters" if len(clean) > NAME_MAX_CHARACTERS
        else f"has the character {quoted(odd)}" if odd is not None
        else "begins or ends with a mark" if not (_is_word(clean[0]) and (_is_word(clean[-1]) or clean[-1] == ")"))
        else "is reserved by Windows" if _RESERVED.fullmatch(clean)
        else "is that of a system file" if is_clutter(clean)
        else ""
    )  # fmt: skip
    if problem:
        raise VoiceError(
            f"The name {quoted(str(name))} {problem}.",
            remedy=f"Use 1 to {NAME_MAX_CHARACTERS} letters, digits, spaces and -_.'()+&,.",
        )
    if _key(clean) in {_key(voice.name) for voice in bundled.list_voices()}:
        raise VoiceError(f"A bundled voice has the name {quoted(clean)}.", remedy="Choose another name.")
    good, broken = scan()
    if _key(clean) in {_key(taken) for taken in (*(voice.name for voice in good), *(folder for folder, _ in broken))}:
        raise VoiceError(
            f"There is a voice {quoted(clean)} already.",
            remedy="Choose another name, or delete it with `workbench voices rm`.",
        )
    return clean


def keep_voice(voice: Voice, name: str, **facts: Any) -> SavedVoice:
    """Save ``voice`` under ``name``, whole or not at all, and return it.

    Args:
        voice: from ``make_voice``.
        name: for ``load_voice``; see ``checked_name``.
        facts: what else voice.json says, such as how the recording was prepared.

    Raises:
        VoiceError: the name cannot be used.
        OutputError: it cannot be written.
    """
    clean = checked_name(name)
    rate = voice.mel_config.target_sample_rate
    content = exact_bytes(voice.audio, rate)
    document = {
        "format_version": 1, "name": clean, "ref_text": voice.ref_text, "language": voice.language, "id": voice.id,
        "heard_by": voice.heard_by,
        "sample_rate": rate, "seconds": voice.seconds, "sha256": hashlib.sha256(content).hexdigest(),
        "warnings": list(voice.warnings), "created_at": datetime.now(UTC).isoformat(timespec="seconds"), **facts,
    }  # fmt: skip
    target = voices_root() / clean
    sweep(voices_root())
    try:
        with claim(target.with_name(f".{secrets.token_hex(8)}.part")) as draft:
            (draft / RECORDING).write_bytes(content)
            write_json(draft / DOCUMENT, document)
            draft.rename(target)
    except OSError as error:
        raise OutputError(
            f"The voice {quoted(clean)} cannot be saved in {voices_root()}: {reason_of(error)}.",
            remedy=remedy_for(error),
        ) from error
    log.info("voice saved", extra=pairs(id=voice.id[:12], seconds=voice.seconds))
    return _read(target)


def remove_voice(name: str) -> None:
    """Delete the saved voice ``name``, also a damaged one. Runs keep their own copy of its recording.

    Raises:
        VoiceError: there is no saved voice of this name.
        OutputError: it cannot be deleted.
    """
    good, broken = scan()
    names = [voice.path.parent.name for voice in good] + [folder for folder, _ in broken]
    found = next((folder for folder in names if _key(folder) == _key(name)), None)
    if found is None:
        is_bundled = _key(name) in {_key(voice.name) for voice in bundled.list_voices()}
        raise VoiceError(
            f"{quoted(name)} is a bundled voice, not a saved one." if is_bundled
            else f"There is no saved voice {quoted(name)}.",
            remedy="See `workbench voices ls`.",
        )  # fmt: skip
    try:
        doomed = voices_root() / f".{secrets.token_hex(8)}.part"
        (voices_root() / found).rename(doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise OutputError(
            f"The voice {quoted(found)} cannot be deleted: {reason_of(error)}.", remedy=remedy_for(error)
        ) from error


def stamp() -> int:
    """Return a number that changes when a voice is saved or deleted; 0 without any."""
    try:
        return voices_root().stat().st_mtime_ns
    except (OSError, SettingsError):
        return 0


def _read(folder: Path) -> SavedVoice:
    """Return the voice in ``folder``. Raises VoiceError if it is damaged."""
    try:
        if not (folder / DOCUMENT).is_file():  # a pipe would be read for ever
            raise FileNotFoundError(2, f"{DOCUMENT} is missing")
        with (folder / DOCUMENT).open("rb") as file:
            found = json.loads(file.read(_DOCUMENT_MAX_BYTES + 1))
        texts = {key: found[key] for key in ("ref_text", "language", "id", "sha256")}
        if not all(isinstance(value, str) for value in texts.values()):
            raise TypeError("a value is no text")
        if not texts["ref_text"].strip() or len(texts["ref_text"].encode()) > SENTENCE_MAX_BYTES:
            raise ValueError("no words, or too many")
        if not (folder / RECORDING).is_file():
            raise FileNotFoundError(2, f"{RECORDING} is missing")
    except OSError as error:
        raise _damaged(folder.name, f"{error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(folder.name, f"{DOCUMENT} is damaged ({type(error).__name__})") from error
    return SavedVoice(
        folder.name, folder / RECORDING, texts["ref_text"], texts["language"], OWN, texts["id"], texts["sha256"], found
    )


def recording_of(voice: SavedVoice, sample_rate: int) -> Any:
    """Return the prepared recording, float32 [n_samples].

    Raises:
        VoiceError: its file is missing or damaged, or of another rate.
    """
    wave = read_exact(voice.path, sample_rate, REFERENCE_MAX_SECONDS + 1)
    if wave is None:
        raise _damaged(voice.name, f"{RECORDING} is no prepared recording at {sample_rate:,} Hz")
    return wave


def _damaged(name: str, problem: str) -> VoiceError:
    return VoiceError(
        f"The voice {quoted(name)} cannot be used: {problem}.", remedy="Delete it with `workbench voices rm`."
    )


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or is_clutter(name)


def _is_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _key(name: str) -> str:
    """Equal for names that a file system may take for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).casefold())
