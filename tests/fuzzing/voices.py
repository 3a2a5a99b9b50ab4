"""Saved voices: one is damaged in its document, recording or place, then listed, loaded, spoken with, removed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from tests.fuzzing import damage, places, seeds
from tests.fuzzing.drawing import Source
from tests.fuzzing.kind import Kind, command, demand, no_leftovers, one_line, refusable
from workbench.engine.settings import SynthesisSettings
from workbench.engine.speech.recordings import library
from workbench.engine.speech.voices import load_voice

_BAD = "Berta"


class Voices(Kind):
    """Damaged voices of the library."""

    name = "voices"
    about = "a damaged saved voice beside a good one: lists, loads, speaks, removes; the good one is never hidden"

    def prepare(self, folder: Path) -> None:
        self.good = seeds.saved_voice().name

    def check(self, source: Source, place: Path) -> None:
        root = seeds.copy_home(place) / "voices"
        bad = Path(shutil.copytree(root / self.good, root / _BAD))
        document = json.loads((bad / library.DOCUMENT).read_text("utf-8"))
        (bad / library.DOCUMENT).write_text(json.dumps(document | {"name": _BAD}), "utf-8")
        _spoil(source, bad)
        self._listed(bad)
        with refusable():
            spoken = load_voice(_BAD)
            demand(np.isfinite(spoken.audio).all() and spoken.ref_text.strip(), "a voice that cannot be spoken with")
            made = seeds.engine_of_case().run("Hello.", spoken, SynthesisSettings(nfe_step=2), save=False)
            demand(np.isfinite(made.wave).all(), "samples that are not finite")
        code, said, _ = command(["voices", "ls"])
        demand(code == 0 and self.good in said, "voices ls does not name the good voice")
        if bad.is_dir():
            library.remove_voice(_BAD)
        demand(not bad.exists(), "a removed voice is still there")
        self._listed(bad)
        no_leftovers(place / "home")

    def _listed(self, bad: Path) -> None:
        """The good voice is listed and can be loaded; the bad one is among the good or the damaged, if it is there."""
        good, broken = library.scan()
        names = [voice.path.parent.name for voice in good]
        demand(self.good in names and self.good in [voice.name for voice in library.list_voices()], "the good voice")
        demand(not bad.is_dir() or (_BAD in names) != (_BAD in dict(broken)), "the damaged voice is nowhere")
        for _, problem in broken:
            one_line(problem)
        demand(len(load_voice(self.good).audio) > 0, "the good voice cannot be loaded")


def _spoil(source: Source, folder: Path) -> None:
    document, recording = folder / library.DOCUMENT, folder / library.RECORDING
    how = source.random.choice(("document", "document", "document", "bytes", "bytes", "place", "swap"))
    if how == "document":
        source.note(document.name)
        document.write_bytes(damage.in_json(source, json.loads(document.read_text("utf-8"))))
    elif how == "swap":
        source.note("document and recording swapped")
        (folder / "x").write_bytes(document.read_bytes())
        document.write_bytes(recording.read_bytes())
        recording.write_bytes((folder / "x").read_bytes())
    else:
        (places.spoil_bytes if how == "bytes" else places.spoil)(source, source.random.choice((document, recording)))
