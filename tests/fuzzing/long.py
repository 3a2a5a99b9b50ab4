"""Damage a long run on disk, unfinished (``.partial``) or in parts; then list, resume, read and remove it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.fuzzing import damage, places, seeds
from tests.fuzzing.drawing import Source
from tests.fuzzing.kind import Kind, command, demand, no_leftovers, one_line, refusable
from workbench.engine.runs import exports, store
from workbench.engine.runs.parts import unfinished


class Long(Kind):
    """Damaged runs of many chunks, finished and not."""

    name = "long"
    about = "a damaged long run, finished or stopped half-way: lists, resumes with the same samples, reads, removes"

    def prepare(self, folder: Path) -> None:
        done, half, self.wave = seeds.long_runs()
        self.done, self.half, self.good = done.name, half.name, seeds.run().name

    def check(self, source: Source, place: Path) -> None:
        root = seeds.copy_home(place) / "runs"
        stopped = source.random.random() < 0.6
        _spoil(source, root / (self.half if stopped else self.done))
        for entry in unfinished.every():
            if entry.problem:
                one_line(entry.problem)
        demand(self.good in [run.id for run in store.list_runs()], "the good run is not listed")
        code, _, _ = command(["runs", "ls"])
        demand(code == 0, f"runs ls ended with {code}")
        (self._resume if stopped else self._read)(source, root)
        demand(len(store.load_run(self.good).wave) > 0, "the good run cannot be read")
        no_leftovers(place / "home")

    def _resume(self, source: Source, root: Path) -> None:
        """Go on with the stopped run: whatever was damaged, it has the samples of the whole one, or is refused."""
        from workbench.engine import rules
        from workbench.engine.runs.parts import making

        run_id = self.half.removesuffix(unfinished.SUFFIX)
        rules.LONG_RUN_CHUNKS = 3  # type: ignore[misc]
        with refusable():
            request = unfinished.request_of(run_id)
            demand(request.text, "a request without a text")
        with refusable():
            engine = seeds.engine_of_case()
            wanted = engine.request(seeds.LONG_TEXT, seeds.voice(), seeds.long_settings())
            made = engine.fulfil(wanted, seeds.voice(), begin_long=making.begin, run_id=run_id)
            demand(np.array_equal(made.wave, self.wave), "the samples differ from those of the whole run")
            unfinished.settled(made.id, made.chunks, store.save_run(made))
            demand(np.array_equal(store.load_run(made.id).wave, self.wave), "the saved samples differ")
            return
        if (root / self.half).is_dir():
            unfinished.drop(run_id)
        demand(not (root / self.half).exists(), "the unfinished run is still there")

    def _read(self, source: Source, root: Path) -> None:
        """Read, export and delete the run in parts."""
        with refusable():
            run = store.load_run(self.done)
            for chunk in run.chunks:
                with refusable():
                    demand(np.isfinite(chunk.wave).all() and np.isfinite(chunk.mel).all(), "not finite")
            for one in exports.every():
                with refusable():
                    demand(len(one.make(run)) > 0, f"{one.name} is empty")
        store.delete_run(self.done)
        demand(not (root / self.done).exists(), "a deleted run is still there")


def _spoil(source: Source, folder: Path) -> None:
    """Damage one of the files: JSON, lines of the journal, bytes, or the place itself."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    path = source.random.choice(files)
    if path.suffix == ".json" and source.random.random() < 0.7:
        source.note(path.name)
        path.write_bytes(damage.in_json(source, json.loads(path.read_text("utf-8"))))
    elif path.suffix == ".jsonl" and source.random.random() < 0.7:
        lines = path.read_text("utf-8").splitlines()
        at = source.random.choice([index for index, line in enumerate(lines) if line])
        source.note(f"{path.name}: line {at}")
        odd = damage.in_json(source, json.loads(lines[at])).replace(b"\n", b" ")
        joined = [line.encode() for line in lines]
        joined[at] = odd
        path.write_bytes(b"\n".join(joined))
    elif source.random.random() < 0.5:
        places.spoil_bytes(source, path)
    else:
        places.spoil(source, path)
