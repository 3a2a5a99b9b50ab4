"""Upgrade run.json from every older format to the current one, so that old runs stay readable.

To change the format, raise ``FORMAT_VERSION`` and add one function at the end of ``_UPGRADES``.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from workbench.engine.settings import LoadSettings, MelConfig, SynthesisSettings
from workbench.engine.speech.requests import SpeechRequest

FORMAT_VERSION = 3
_REQUEST_FIELDS = {field.name for field in dataclasses.fields(SpeechRequest)}


def plain(value: object) -> str:
    """Return ``value`` for a message: short and without markup."""
    return re.sub(r"[^\w.+-]", "?", str(value)[:40]) if isinstance(value, (str, int, float)) else type(value).__name__


def _to_2(old: dict[str, Any]) -> dict[str, Any]:
    """Upgrade format 1, which had no request and stored the remade chunk's time as that of the whole run."""
    remade, rows = old.get("remade_chunk"), old.get("chunks")
    new = dict(old)
    is_remade = type(remade) is int and isinstance(rows, list)
    if is_remade:
        seconds = [row.get("total_seconds") for row in rows or () if isinstance(row, dict)]
        spent = [value for value in seconds if isinstance(value, float)]
        if spent and len(spent) == len(rows or ()):
            new |= {"total_seconds": sum(spent), "time_to_first_audio_seconds": spent[0]}
    voice = {"id": old.get("voice_id"), "name": old.get("voice"), "ref_text": old.get("ref_text")}
    new["request"] = {
        "text": old.get("text"), "voice": voice, "settings": old.get("settings", {}), "model": old.get("model"),
        "load": {"dtype": old["dtype"]} if old.get("dtype") in ("fp32", "fp16", "bf16") else {},
        "sweep": old.get("sweep", ""),
        "remake": {"run": old.get("parent", ""), "chunk": remade} if is_remade else None,
    }  # fmt: skip
    return new


def _to_3(old: dict[str, Any]) -> dict[str, Any]:
    """Upgrade format 2, in which every run was finished and every chunk was made."""
    return old | {"n_planned": 0}


_UPGRADES = (_to_2, _to_3)  # the first upgrades format 1 to 2, the next 2 to 3, ...


def upgraded(document: dict[str, Any]) -> dict[str, Any]:
    """Return ``document`` in the current format; fields that older programs did not write get defaults.

    Raises:
        ValueError: the format is newer or unknown.
    """
    version = document.get("format_version")
    if type(version) is not int or version < 1:
        raise ValueError(f"format_version is {plain(version)}, which is unknown")
    if version > FORMAT_VERSION:
        raise ValueError(
            f"it was written by a newer version (format {plain(version)}; this one reads up to {FORMAT_VERSION})"
        )
    for upgrade in _UPGRADES[version - 1 :]:
        document = upgrade(document)
    unwritten = {
        "environment": {}, "utilisation": [], "loads": {}, "envelope": [], "has_trajectory": False, "weights": {},
        "n_planned": 0,
        "mel_config": dataclasses.asdict(MelConfig()),
    }  # fmt: skip
    document = unwritten | document
    if isinstance(document["environment"], dict):  # before there were others, every run was eager
        document["environment"] = {"backend": "eager"} | document["environment"]
    return document


def lifted(document: dict[str, Any]) -> dict[str, Any]:
    """Return ``document`` with model, voice, text and settings copied from its request; unknown settings apart."""
    request = document.get("request")
    if not isinstance(request, dict):
        return document | {"unknown_settings": {}}
    request = {name: value for name, value in request.items() if name in _REQUEST_FIELDS}
    unknown = {}
    for name, owner in (("settings", SynthesisSettings), ("load", LoadSettings)):
        if isinstance(given := request.get(name), dict):
            known = {field.name for field in dataclasses.fields(owner)}
            unknown[name] = {key: value for key, value in given.items() if key not in known}
            request[name] = {key: value for key, value in given.items() if key in known}
    voice, remake = (request[n] if isinstance(request.get(n), dict) else {} for n in ("voice", "remake"))
    shown = {
        "model": request.get("model"), "voice": voice.get("name"), "voice_id": voice.get("id"),
        "ref_text": voice.get("ref_text"), "text": request.get("text"), "sweep": request.get("sweep", ""),
        "settings": request.get("settings", {}), "parent": remake.get("run", ""), "remade_chunk": remake.get("chunk"),
    }  # fmt: skip
    return document | shown | {"request": request, "unknown_settings": {n: v for n, v in unknown.items() if v}}
