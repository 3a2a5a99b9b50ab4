"""The eight stops of the guided path: predict, then see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workbench.classroom import mels, numbers
from workbench.classroom.code import CodeLine
from workbench.classroom.lessons import LESSONS, Lesson
from workbench.classroom.values import EngineOf, Measured, Question
from workbench.engine.speech.results import Run

# a text of the class's own: three sentences, one of them with a clause that may be cut
TEXT = (
    "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background, and wait a little. "
    "It is easy to tell the depth of a well."
)
CHUNK_BYTES = 60
STEPS = 12


@dataclass(frozen=True)
class Stop:
    """One stop.

    Attributes:
        key: short name, also in the address.
        title: of the stop.
        ask: returns the question about a run.
        measure: measures the answer in the run; takes the engine of a model by name if it needs one.
        page: name of the view where the thing itself is seen, and its title.
        lesson: the notebook that belongs to it.
        code: the line that does it.
        needs_states: it looks at the states of the ODE, which a run keeps on request.
        needs_engine: it measures with the model, so it is a job.
    """

    key: str
    title: str
    ask: Callable[[Run], Question]
    measure: Callable[[Run, EngineOf], Measured]
    page: tuple[str, str]
    lesson: Lesson
    code: CodeLine
    needs_states: bool = False
    needs_engine: bool = False


_LESSON = {lesson.stem: lesson for lesson in LESSONS}
STOPS = (
    Stop("text", "Text", numbers.ask_text, numbers.measure_text, ("synthesize", "Synthesize"),
         _LESSON["01_first_speech"],
         CodeLine("workbench.engine.speech.speaker", "Speaker._speak", "conditioning_text(voice.ref_text)",
                  "puts the reference's words before the chunk's"), needs_engine=True),
    Stop("bytes", "Bytes", numbers.ask_bytes, numbers.measure_bytes, ("synthesize", "Synthesize"),
         _LESSON["01_first_speech"],
         CodeLine("workbench.engine.speech.text", "_total_frames", "pace_hops / ref_bytes",
                  "gives a chunk its frames, from its bytes and the pace of the reference")),
    Stop("chunks", "Chunks", numbers.ask_chunks, numbers.measure_chunks, ("chunk_size", "Chunk size"),
         _LESSON["04_chunk_size"],
         CodeLine("workbench.engine.text.cutting", "_best_cut", "def _best_cut",
                  "chooses the place at which a long sentence is cut")),
    Stop("noise", "Noise", mels.ask_noise, mels.measure_noise, ("flow", "Flow"),
         _LESSON["06_flow_matching"],
         CodeLine("workbench.engine.model.sampling", "initial_noise", "torch.randn",
                  "draws the noise from the seed"), needs_states=True),
    Stop("flow", "Flow", mels.ask_flow, mels.measure_flow, ("flow", "Flow"),
         _LESSON["06_flow_matching"],
         CodeLine("workbench.engine.model.backends.solvers", "step", "return state + dt * k1",
                  "goes one step of Euler's method in the direction that the model gave"), needs_states=True),
    Stop("vocoder", "Vocoder", mels.ask_vocoder, mels.measure_vocoder, ("spectrograms", "Listen and look"),
         _LESSON["05_spectrograms"],
         CodeLine("workbench.engine.model.backends.eager", "Eager.decode", "vocoder.decode",
                  "turns a mel into samples"), needs_engine=True),
    Stop("time", "Time", numbers.ask_time, numbers.measure_time, ("time", "Time"),
         _LESSON["02_where_the_time_goes"],
         CodeLine("workbench.engine.timing", "Timeline.span", "self.add(name",
                  "notes how long a stage took, also if it failed")),
    Stop("loading", "Loading", numbers.ask_loading, numbers.measure_loading, ("loading_lab", "Loading lab"),
         _LESSON["03_the_model_in_the_loop"],
         CodeLine("workbench.lab.strategies", "reload_per_chunk", "Vocos.from_pretrained",
                  "loads the vocoder inside the loop over chunks: the bug")),
)  # fmt: skip
