"""The nine lessons, and the lines of the program that each shows."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.classroom.code import CodeLine


@dataclass(frozen=True)
class Lesson:
    """A notebook.

    Attributes:
        stem: name of its file, without ".ipynb".
        title: of the lesson.
        code: the lines it is about.
    """

    stem: str
    title: str
    code: tuple[CodeLine, ...]

    @property
    def number(self) -> int:
        """From 1."""
        return int(self.stem[:2])


def _line(module: str, name: str, has: str, why: str) -> CodeLine:
    return CodeLine(f"workbench.{module}", name, has, why)


LESSONS = (
    Lesson("01_first_speech", "First speech", (
        _line("engine.speech.synthesis", "Engine.run", "self.fulfil(request, voice", "speaks a request"),
        _line("engine.speech.text", "_total_frames", "pace_hops / ref_bytes", "plans the length of a chunk"),
        _line("engine.model.sampling", "initial_noise", "manual_seed(seed)", "makes a seed the same take"),
    )),
    Lesson("02_where_the_time_goes", "Where the time goes", (
        _line("engine.timing", "Timeline.span", "self.add(name", "notes a span, also of a stage that fails"),
        _line("engine.timing", "rtf", "processing_seconds / audio_seconds", "is the real-time factor"),
        _line("engine.model.backends.solvers", "", "STAGES = ", "counts the evaluations in a step of each solver"),
    )),
    Lesson("03_the_model_in_the_loop", "The model in the loop", (
        _line("lab.strategies", "reload_per_chunk", "Vocos.from_pretrained", "is the bug"),
        _line("lab.measuring", "predict", "requests[strategy] * timeout_seconds", "foretells the seconds lost"),
        _line("engine.jobs.pool", "EnginePool.engine", "def engine", "loads a model once for everybody"),
    )),
    Lesson("04_chunk_size", "Chunk size", (
        _line("engine.speech.text", "byte_budget", "CHUNK_WINDOW_SECONDS", "is the budget of a chunk"),
        _line("engine.text.cutting", "_best_cut", "def _best_cut", "chooses where a long sentence is cut"),
        _line("engine.speech.speaker", "Speaker._speak", "chunk.duration_frames",
              "computes reference and chunk together"),
    )),
    Lesson("05_spectrograms", "Spectrograms", (
        _line("engine.signal.mel", "mel_spectrogram", "clamp(min=1e-5).log()", "makes samples a mel"),
        _line("engine.model.backends.eager", "Eager.decode", "vocoder.decode", "makes a mel samples"),
    )),
    Lesson("06_flow_matching", "Flow matching", (
        _line("engine.model.backends.solvers", "step", "return state + dt * k1", "is one step of Euler's method"),
        _line("engine.model.sampling", "time_grid", "sway_sampling_coef * (", "bends the grid of the flow times"),
        _line("engine.model.sampling", "solve", "solvers.step(", "goes from noise to speech"),
        _line("engine.model.backends.eager", "", "(guided - free) * flow.cfg_strength", "is guidance"),
    )),
    Lesson("07_the_offline_cache", "The offline cache", (
        _line("engine.cache.inventory", "verify", "def verify", "reads every byte"),
        _line("engine.cache.resolving", "resolve", "def resolve", "finds the files of a model without a network"),
    )),
    Lesson("08_threads_and_one_tensor", "Threads and one tensor", (
        _line("engine.speech.speaker", "Speaker.synthesize", "with self._turn", "lets one thread speak at a time"),
        _line("engine.model.sampling", "text_embedded", "flow.close()", "forgets the text, also after an error"),
    )),
    Lesson("09_how_the_demo_voice_was_made", "How the demo voice was made", (
        CodeLine("training.demo_voice.acoustic.flow", "losses", "x = (1 - t) * noise",
                 "puts a point between noise and speech"),
        CodeLine("training.demo_voice.acoustic.flow", "losses", "(mel - noise)",
                 "compares the model's velocity with the true one"),
        CodeLine("training.demo_voice.corpus.rows", "Composer.row", "def row", "composes a training row"),
    )),
)  # fmt: skip
