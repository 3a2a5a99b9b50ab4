"""Run an evaluation: speak what is missing, measure what is missing, and write the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from workbench.engine.catalog import get_model
from workbench.engine.errors import OutputError
from workbench.engine.evaluation import measuring, results, truths
from workbench.engine.evaluation.lists import Utterance, read_list
from workbench.engine.evaluation.measuring import DEFAULT, Wanted
from workbench.engine.evaluation.plan import How, Plan, check_same, make_plan, place_of, write_plan
from workbench.engine.evaluation.report import write_report
from workbench.engine.files.alone import alone_in
from workbench.engine.settings import LoadSettings, SynthesisSettings
from workbench.engine.sweeps import records
from workbench.engine.sweeps.batch import Batch
from workbench.engine.sweeps.executors import Executor, executor
from workbench.engine.sweeps.grid import Trial, shuffled


@dataclass(frozen=True)
class Evaluation:
    """A test set and the folder of its results. Made by ``open_evaluation``.

    Attributes:
        plan: utterances and how they are spoken.
        folder: of the results.
        wanted: measures.
        language: of the texts, where an utterance names none; "" if unknown.
        truth: whether the true recordings of the list are measured too.
    """

    plan: Plan
    folder: Path
    wanted: Wanted
    language: str = ""
    truth: bool = False

    @cached_property
    def batch(self) -> Batch:
        """The trials, each once, in an order that spreads long and short texts."""
        trials = {trial.id: trial for trial in self.plan.trials.values()}
        return Batch(self.plan.name, self.folder, tuple(shuffled(list(trials.values()), 0)), self.plan.voices)

    def missing(self) -> list[Trial]:
        """Return the trials that are still to be spoken."""
        return self.batch.missing()

    def n_steps(self) -> int:
        """Return how many times ``run`` will call ``on_done``."""
        sound, missing = self.wanted.sound, len(self.missing())
        waiting = measuring.unmeasured(self.folder, self.batch.records().values(), sound)
        return missing * (2 if sound else 1) + len(waiting) + len(self._unmeasured_truths())

    def _unmeasured_truths(self) -> list[Utterance]:
        return truths.unmeasured(self.folder, self.plan.utterances, self.wanted.sound) if self.truth else []

    def run(
        self,
        how: Executor | None = None,
        *,
        check: Callable[[], None] = lambda: None,
        on_done: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """Speak and measure what is missing; return the report as in results.json.

        What is finished stays saved in any case.

        Args:
            how: executor that speaks; by default one worker in this process. This process measures.
            check: called regularly. Raise from it to stop.
            on_done: called after each utterance is spoken, and after each sound is measured.

        Raises:
            SettingsError: another process runs this evaluation, or the folder holds another one.
            OutputError: the folder cannot be written.
        """
        try:
            with alone_in(self.folder):
                check_same(self.plan, self.folder)
                write_plan(self.folder, self.plan)
                for trial in measuring.lost(self.folder, self.batch.records().values(), self.wanted.sound):
                    records.forget_record(self.folder, trial)
                self.batch.speak(how or executor(), check, lambda record: self._spoken(record, on_done))
                waiting = measuring.unmeasured(self.folder, self.batch.records().values(), self.wanted.sound)
                failed = measuring.measure(self.folder, waiting, self.wanted.sound, check, lambda record: on_done())
                lacking = truths.measure(
                    self.folder, self._unmeasured_truths(), self.plan.voice_of, self.language, self.wanted.sound, check,
                    on_done,
                )  # fmt: skip
                document = results.document(self.folder, self.wanted, failed, lacking)
                write_report(self.folder, document)
        except OSError as error:
            raise OutputError(
                f"The evaluation cannot be saved in {self.folder}: {error.strerror or error}.",
                remedy="Correct this and run it again; what was saved is not lost.",
            ) from error
        return document

    def _spoken(self, record: records.Record, on_done: Callable[[], None]) -> None:
        measuring.forget(self.folder, record.trial)  # of an earlier run of this trial
        on_done()


def open_evaluation(
    named: str | Path,
    how: How = How(),
    *,
    measures: Sequence[str] = DEFAULT,
    out: Path | None = None,
    layout: str = "",
    root: Path | None = None,
    language: str = "",
    truth: bool = False,
) -> Evaluation:
    """Read and check a test set, and prepare its voices, without speaking or writing.

    Args:
        named: file of the list, or name of a bundled one.
        how: how the utterances are spoken.
        measures: names of measures, or short names such as "wer", "sim" and "dnsmos".
        out: folder of the results; by default ``evaluations/NAME`` with the names of list and model.
        layout, root: as in ``read_list``.
        language: ISO 639-1 code of the texts where the list names none.
        truth: measure the true recordings of the list too, as the score of a person.

    Raises:
        SettingsError: the list, a measure or the layout is unknown or invalid, or the folder holds another evaluation.
        ModelError, VoiceError: the model or the voice is unknown.
    """
    spoken = get_model(how.model).languages
    test_set = read_list(named, layout=layout, root=root)
    name, folder = place_of(test_set, how, out)
    if language:
        test_set = replace(test_set, utterances=tuple(_speaking(u, language) for u in test_set.utterances))
    language = language or (spoken[0] if len(spoken) == 1 else "")
    chosen = measuring.wanted(measures, language)
    plan = make_plan(test_set, how, name)
    check_same(plan, folder)
    return Evaluation(plan, folder, chosen, language, truth)


def _speaking(utterance: Utterance, language: str) -> Utterance:
    return utterance if utterance.language else replace(utterance, language=language)


def evaluate(
    named: str | Path,
    *,
    model: str = "demo-voice",
    voice: str = "",
    settings: SynthesisSettings = SynthesisSettings(),
    load: LoadSettings = LoadSettings(),
    measures: Sequence[str] = DEFAULT,
    out: str | Path | None = None,
    root: str | Path | None = None,
    layout: str = "",
    language: str = "",
    truth: bool = False,
    folder: str = "",
    workers: int = 1,
    how: str = "",
    address: str = "",
) -> dict[str, Any]:
    """Speak a test set, measure it, and return the report; what is on disk is not made again.

    Args:
        named: file of the list (Seed-TTS, LibriSpeech-PC or CSV), or "demo" for the bundled one.
        model, settings, load, folder: as in ``SpeechRequest``.
        voice: of utterances that name none; by default the default voice.
        measures, layout, language, truth: as in ``open_evaluation``.
        out: folder of the results; by default ``evaluations/NAME``.
        root: folder of LibriSpeech's recordings.
        workers: number of workers.
        how: "local", "process" or "ray"; by default local for one worker, process for several.
        address: of a Ray cluster.

    Returns:
        The content of results.json: summary of each measure, one row per utterance, what is missing.

    Raises:
        WorkbenchError: as ``open_evaluation`` and ``Evaluation.run``.
    """
    opened = open_evaluation(
        named, How(model, folder, settings=settings, load=load, voice=voice), measures=measures, layout=layout,
        out=Path(out) if out else None, root=Path(root) if root else None, language=language, truth=truth,
    )  # fmt: skip
    return opened.run(executor(how or ("process" if workers > 1 else "local"), workers, address=address))
