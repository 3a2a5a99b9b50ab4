"""Run folders: damaged in every file, then listed, read, exported, annotated, shown and deleted beside a good run."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzzing import damage, places, seeds
from tests.fuzzing.drawing import Source
from tests.fuzzing.kind import Kind, demand, no_leftovers, one_line, refusable
from workbench.engine.runs import store

_BAD = "20260101-000000-abcdef"
_PAGES = ("runs", "spectrograms", "flow", "synthesize")
_PAGE_SHARE = 0.04  # a page takes a hundred times as long as the rest


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _damage_json(source: Source, folder: Path) -> None:
    name = source.random.choice(("run.json", "run.json", "notes.json", "takes.json", "takes.json", "takes/sound.json"))
    source.note(name)
    path = folder / name
    path.write_bytes(damage.in_json(source, json.loads(path.read_text("utf-8"))))


def _damage_bytes(source: Source, folder: Path) -> None:
    places.spoil_bytes(source, source.random.choice(_files(folder)))


def _damage_array(source: Source, folder: Path) -> None:
    """An array of another shape, type or name in one of the .npz files."""
    path = folder / source.random.choice(("chunks.npz", "chunks.npz", "trajectories.npz", "takes/00001-002.npz"))
    with np.load(path) as archive:
        arrays: dict[str, Any] = dict(archive)
    name = source.random.choice(sorted(arrays))
    old = arrays[name]
    odd = {
        "empty": old[:0],
        "scalar": np.float32(1),
        "NaN": np.full_like(old, np.nan),
        "3e38": np.full_like(old, 3e38),
        "text": np.array(["x"]),
        "objects": np.array([{"a": 1}], dtype=object),
        "complex": old.astype(complex),
        "integers": old.astype(np.int64),
        "doubled": np.concatenate([old, old]),
        "deep": old[None, None],
        "transposed": np.asfortranarray(old.T),
        "void": np.zeros(3, dtype=[("a", "f4")]),
    }
    how = source.random.choice((*odd, "drop", "compressed"))
    source.note(f"{path.name}: {name} {how}")
    if how == "drop":
        del arrays[name]
    else:
        arrays[name] = odd.get(how, np.zeros(10**8, np.float32) if source.random.random() < 0.3 else old)
    (np.savez_compressed if how == "compressed" else np.savez)(path, **arrays)


def _damage_header(source: Source, folder: Path) -> None:
    """An array whose header promises more than the file can hold."""
    import zipfile

    shape = source.random.choice(("(3000000000,)", "(-1,)", "(1, 2", "(10**9,)", "((1,),)", "(99999999999999999999,)"))
    source.note(f"chunks.npz: shape {shape}")
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    raw = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + b"\0" * 64
    with zipfile.ZipFile(folder / "chunks.npz", "w") as archive:
        for name in ("wave_0", "mel_0", "wave_1", "mel_1"):
            archive.writestr(f"{name}.npy", raw)


def _damage_place(source: Source, folder: Path) -> None:
    """A file that became something else, or a folder without any."""
    if source.random.random() < 0.15:
        source.note("all missing")
        shutil.rmtree(folder)
        folder.mkdir()
    else:
        places.spoil(source, source.random.choice(_files(folder)))


_DAMAGES = (_damage_json, _damage_json, _damage_json, _damage_bytes, _damage_array, _damage_header, _damage_place)


class Runs(Kind):
    """Damaged run folders."""

    name = "runs"
    about = "a damaged run beside a good one: lists, reads, exports, notes, sound, pages, deletion"
    may_start_programs = True  # the pages ask the system about fonts and processors

    def prepare(self, folder: Path) -> None:
        self.good = seeds.run().name
        seeds.home()

    def check(self, source: Source, place: Path) -> None:
        root = seeds.copy_home(place) / "runs"
        bad = Path(shutil.copytree(root / self.good, root / _BAD))
        document = json.loads((bad / "run.json").read_text("utf-8"))
        (bad / "run.json").write_text(json.dumps(document | {"id": _BAD}), "utf-8")
        source.random.choice(_DAMAGES)(source, bad)
        if source.random.random() < _PAGE_SHARE:
            _show(source, self.good)
        self._neighbour(place)
        _use(source)
        _hear()
        self._neighbour(place)
        store.delete_run(_BAD)
        demand(not bad.exists(), "a deleted run is still there")
        self._neighbour(place)
        no_leftovers(place / "home")

    def _neighbour(self, place: Path) -> None:
        """The good run is listed and read; the bad one is in one of the two lists or is no run any more."""
        listed = [r.id for r in store.list_runs()]
        broken = dict(store.broken_runs())
        demand(self.good in listed, "the good run is not listed")
        demand(not set(listed) & set(broken), "a run is listed as good and as damaged")
        there = (place / "home" / "runs" / _BAD).exists()
        demand(not there or _BAD in (*listed, *broken), "the damaged run is nowhere")
        for reason in broken.values():
            one_line(reason)
        demand(len(store.load_run(self.good).wave) > 0, "the good run cannot be read")


def _use(source: Source) -> None:
    """Read, export and annotate the damaged run; each may refuse."""
    from workbench.engine.runs import exports

    with refusable():
        store.read_document(_BAD)
    with refusable():
        store.annotate(
            _BAD, note=source.random.choice((None, "x", "[/b]", "")), star=source.random.choice((None, True))
        )
    with refusable():
        run = store.load_run(_BAD, trajectories=source.random.random() < 0.5)
        for one in exports.every():
            with refusable():
                demand(len(one.make(run)) > 0, f"{one.name} is empty")
        with refusable():
            json.dumps(run.as_dict())
    _choose(source)


def _choose(source: Source) -> None:
    """Read its takes, choose others and go back; each may refuse."""
    from workbench.engine.runs.takes import choosing

    with refusable():
        for take in choosing.takes_of(_BAD).of(1):
            json.dumps(take.as_dict())
    for act in (
        lambda: choosing.read_take(_BAD, 1, source.random.choice((0, 1, 2, 3))),
        lambda: choosing.choose(_BAD, {0: 2, 1: 1}),
        lambda: choosing.undo(_BAD),
        lambda: choosing.undo(_BAD),
        lambda: choosing.redo(_BAD),
        lambda: choosing.audio_file(_BAD),
    ):
        with refusable():
            act()


def _hear() -> None:
    """Ask the routes for its sound: there or not, never an error of the server."""
    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    from workbench.ui.routes import ROUTES

    client = TestClient(Starlette(routes=ROUTES))
    for name in ("audio.wav", "0.wav", "1.wav", "2.wav", "1/takes/1.wav", "1/takes/2.wav", "0/takes/9.wav"):
        answer = client.get(f"/api/runs/{_BAD}/{name}", headers={"Range": "bytes=0-99"} if name[0] == "a" else {})
        demand(answer.status_code in (200, 206, 404, 416), f"{name} is answered with {answer.status_code}")


def _show(source: Source, good: str) -> None:
    """A page that lists runs, opened with the damaged one or the good one."""
    from streamlit.testing.v1 import AppTest

    from tests.ui.conftest import MAIN
    from workbench.engine.speech import synthesis
    from workbench.ui import resources

    os.environ["WORKBENCH_MODEL"] = "tiny"
    synthesis.load_engine = lambda *_, **__: seeds.engine()
    resources.engine()
    resources.preload_state().doing = "ready"
    page, run_id = source.random.choice(_PAGES), source.random.choice((_BAD, _BAD, good))
    source.note(f"page {page} of {'the damaged run' if run_id == _BAD else 'the good run'}")
    at = AppTest.from_file(str(MAIN), default_timeout=30)
    at.query_params["run"] = run_id
    at.run()
    if page != "synthesize":
        at.switch_page(f"views/{page}.py").run()
    shown = [f"{e.message} {(list(e.stack_trace) or [''])[-1]}" for e in at.exception]
    demand(not shown, f"{page} shows a traceback: {shown[:1]}")
