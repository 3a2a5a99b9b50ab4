"""Licences of the workbench, of the models, and of installed packages with narrower terms than the workbench's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any

from workbench.engine.visible import shorten

PROJECT = "f5tts-workbench"
NARROW = {
    "encodec": ("vocos", "No commercial use. vocos imports its code; no model here is built with it."),
    "Unidecode": ("f5-tts", "Never imported: only f5-tts's own command line does."),
    "soxr": ("this project and librosa", "Changes the rate of recordings."),
    "num2words": ("this project", "Writes numbers as words."),
    "frozendict": ("einx, through f5-tts", "Imported by einx."),
}  # package with a licence narrower than the project's -> (what brings it, what it is here for)
# of extras, which are here only if somebody installed them
OPTIONAL = {"praat-parselmouth": ("the extra praat", "Finds formants; imported only for them.")}
_LONGEST = 80  # characters; some packages state the whole text of their licence


@dataclass(frozen=True)
class Licence:
    """One licence.

    Attributes:
        name: of the project, model or package.
        kind: "project", "model", "recogniser" or "package".
        licence: as its author names it.
        here: whether it is on this machine.
        note: what to know about it.
    """

    name: str
    kind: str
    licence: str
    here: bool
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return asdict(self)


def terms(package: str) -> str | None:
    """Return the licence that an installed package states, in one line; None if it is not installed."""
    try:
        about = metadata(package)
    except PackageNotFoundError:
        return None
    found = about.get_all("License-Expression") or about.get_all("License") or []
    stated = next((line for text in found for line in text.splitlines()[:1] if line.strip()), "")
    return shorten(stated, _LONGEST) if stated else "see its files"


def packages() -> Iterator[Licence]:
    """Yield the installed packages with a licence narrower than the project's."""
    for name, (through, note) in (NARROW | OPTIONAL).items():
        stated = terms(name)
        if stated is not None:
            yield Licence(name, "package", stated, True, f"Comes with {through}. {note}")


def listed() -> list[Licence]:
    """Return the licences of the project, of every model and recogniser of the catalogue, and of ``packages``."""
    from workbench.engine.cache import inventory
    from workbench.engine.catalog import RecogniserSpec, list_entries

    present = {stock.model for stock in inventory() if stock.state != "absent"}
    found = [Licence(PROJECT, "project", "MIT", True, "The code; the demo voice has the same licence.")]
    found += [
        Licence(spec.name, "recogniser" if isinstance(spec, RecogniserSpec) else "model", spec.license,
                spec.name in present, spec.license_note)
        for spec in list_entries()
    ]  # fmt: skip
    return [*found, *packages()]
