"""Make a chunk of a saved run again, as a take that is kept in the run beside the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from workbench.engine.jobs.pool import EnginePool
from workbench.engine.jobs.queue import Job, JobManager
from workbench.engine.jobs.speech import SPEECH_LANE
from workbench.engine.runs.document import RunDocument
from workbench.engine.runs.files import read_request
from workbench.engine.runs.paths import run_folder
from workbench.engine.runs.takes import choosing
from workbench.engine.runs.takes.values import Take, Takes
from workbench.engine.speech.requests import Remake
from workbench.engine.speech.text import check_text
from workbench.engine.timing import Progress

if TYPE_CHECKING:  # synthesis imports torch
    from workbench.engine.speech.results import ChunkResult
    from workbench.engine.speech.synthesis import Engine

OnMade = Callable[["ChunkResult"], Mapping[str, float | None]]


def fresh_seed(takes: Takes, chunk: int, parent: int | None = None) -> int:
    """The first seed after that of ``parent`` that no chunk and no take of the run has."""
    rows = [*takes.document["chunks"], *(take["row"] for found in takes.ledger.takes.values() for take in found)]
    used = {row["seed"] for row in rows}
    number = parent or takes.ledger.number(chunk)
    seed = (takes.of(chunk)[number - 1].seed + 1) % 2**31
    while seed in used:
        seed = (seed + 1) % 2**31
    return seed


@cache
def _own_pool() -> EnginePool:
    """The engines of a program that has no pool: several takes load a model once."""
    return EnginePool()


def make_take(
    run_id: str,
    chunk: int,
    *,
    pool: EnginePool | None = None,
    seed: int | None = None,
    words: str | None = None,
    speed: float | None = None,
    parent: int | None = None,
    choose: bool = False,
    on_step: Callable[[Progress], None] | None = None,
    on_made: OnMade | None = None,
) -> Take:
    """Speak chunk ``chunk`` of a saved run again and keep it as a take. The other chunks stay unchanged.

    With the same words, seed and speed as before it has the same samples, on one device and format.

    Args:
        run_id: of a saved run.
        chunk: index of the chunk, from 0.
        pool: engines and voices; by default those of earlier calls in this process.
        seed: of its noise; by default one that nothing in this run has.
        words: what to say; by default what the parent says.
        speed: by default that of the parent.
        parent: the take to start from; by default the chosen one.
        choose: let the run sound with it.
        on_step: as in ``Engine.run``; may raise Cancelled, and nothing is kept then.
        on_made: called with the result; returns measures to keep with it.

    Raises:
        RunError: there is no such run, chunk or take, or it is damaged.
        TextError, SettingsError: the words or the speed cannot be spoken.
        VoiceError, WeightsError: voice or model are not here.
        OutputError: it cannot be kept.
    """
    pool, takes, folder = pool or _own_pool(), choosing.takes_of(run_id), run_folder(run_id)
    every = takes.of(chunk)
    number = parent or takes.ledger.number(chunk)
    origin = every[takes.checked(chunk, number) - 1]
    seed = fresh_seed(takes, chunk, number) if seed is None else seed
    asked = read_request(folder, takes.document)[0]
    spoken = (None, origin.chunk.text, origin.chunk.written or origin.chunk.text)
    said = None if (words and words.strip()) in spoken else words
    usual = origin.speed or asked.settings_of(origin.chunk.passage).speed
    faster = speed if speed is not None and speed != usual else None
    if said is not None and speed is None:
        faster = origin.speed  # new words at the speed of the parent
    if said is not None:
        check_text(said)  # before the model is loaded
    if faster is not None:
        asked.settings_of(origin.chunk.passage).replace(speed=faster)
    request = asked.replace(remake=Remake(run_id, chunk, seed, said, faster), profile=False, sweep="")
    engine = pool.engine_for(request)
    voice = pool.voice(request.voice_of(origin.chunk.passage), engine.loaded.spec.mel)
    made = engine.take(request, voice, origin.chunk, on_step=on_step)
    take = choosing.add(
        run_id,
        made,
        parent=number,
        words=origin.words if said is None else said.strip(),
        speed=origin.speed if faster is None else faster,
        differs=_differing(engine, takes.document),
        measured=on_made(made) if on_made is not None else None,
    )
    if choose or (origin.is_failed and origin.is_chosen):  # silence is no choice
        choosing.choose(run_id, {chunk: take.number})
        take = choosing.takes_of(run_id).of(chunk)[take.number - 1]
    return take


def _differing(engine: Engine, document: RunDocument) -> dict[str, str]:
    """What of device, format, weights and environment is other than when the run was made."""
    from workbench.engine.model.devices import environment

    now = environment() | {"backend": engine.loaded.backend.recorded}
    found = {name: value for name, value in now.items() if document["environment"].get(name, value) != value}
    loaded = {"device": engine.loaded.device, "dtype": engine.loaded.dtype}
    found |= {f"{name} of takes": value for name, value in loaded.items() if document[name] != value}  # type: ignore[literal-required]
    for kind in ("acoustic", "vocoder", "layer"):
        then, here = document["weights"].get(kind), engine.loaded.weights.get(kind)
        found |= {f"{kind} weights of takes": here} if then and here and then != here else {}
    return found


class TakeJob(Job):
    """Make a take in the background. Its result is the ``Take``.

    Args:
        run_id: of a saved run.
        chunk: index of the chunk.
        wanted: arguments of ``make_take`` by name.

    Attributes:
        step, n_steps: ODE step that is done, and how many there are; 0 before the first.
    """

    def __init__(self, run_id: str, chunk: int, **wanted: object) -> None:
        super().__init__(f"Make chunk {chunk + 1} of {run_id} again", SPEECH_LANE)
        self.run_id, self.chunk, self._wanted = run_id, chunk, wanted
        self.step = self.n_steps = 0
        self._pool: EnginePool | None = None

    def accept(self, manager: JobManager) -> None:
        """Take the engines from ``manager``. Raises RunError if there is no such run or chunk."""
        self._pool = manager.pool
        choosing.takes_of(self.run_id).of(self.chunk)

    def work(self) -> Take:
        self.report(0.0, "waiting for the model")
        return make_take(self.run_id, self.chunk, pool=self._pool, on_step=self._on_step, **self._wanted)  # type: ignore[arg-type]

    def _on_step(self, progress: Progress) -> None:
        self.step, self.n_steps = progress.step, progress.n_steps
        self.report(progress.step / progress.n_steps, "speaking")
