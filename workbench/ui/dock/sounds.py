"""Describe sounds for the player: where their parts lie on this server, how long they are and where they begin."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.engine.settings import MelConfig
from workbench.engine.signal.audio import to_bytes
from workbench.engine.signal.joining import join_places
from workbench.engine.speech.passages.places import silences
from workbench.ui import resources
from workbench.ui.dock import store

if TYPE_CHECKING:
    from workbench.engine.jobs.speech import SpeechJob
    from workbench.engine.speech.results import ChunkResult, Run
    from workbench.engine.speech.text import Chunk
    from workbench.engine.speech.voices import Voice

_TITLE_CHARACTERS = 100


@dataclass(frozen=True)
class Sound:
    """A sound of one or more parts, as the player in the browser needs it.

    Attributes:
        key: equal for the same sound; a run has one key while it is made and afterwards.
        title: shown to users.
        urls: address of a WAV file for each part that can be played, in order.
        seconds: length of each part; there may be more than addresses, for parts that are planned.
        fade_seconds: cross-fade of neighbouring parts.
        timeline: name of the time axis that the sound lies on; "" for an axis of its own.
        starts_at: second of that axis at which the sound begins.
        starts: second of the sound at which each part begins; () if the parts follow each other.
        length: seconds of the whole sound; 0 if it ends with its last part.
        first: index of the first part among the chunks of its run, for its colour and number.
        is_blind: show nothing that could tell this sound from another: no waveform and no level.
    """

    key: str
    title: str
    urls: tuple[str, ...]
    seconds: tuple[float, ...]
    fade_seconds: float = 0.0
    timeline: str = ""
    starts_at: float = 0.0
    starts: tuple[float, ...] = ()
    length: float = 0.0
    first: int = 0
    is_blind: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the sound as JSON for the browser; every address is ``base`` and an entry of ``urls``."""
        starts, end = self.starts, self.length
        if not starts:
            starts, end = _one_after_another(self.seconds, self.fade_seconds)
        base = _shared_folder(self.urls)
        return {
            "key": self.key,
            "title": self.title,
            "base": base,
            "urls": [url[len(base) :] for url in self.urls],
            "seconds": [round(value, 6) for value in self.seconds],
            "starts": [round(value, 6) for value in starts],
            "length": round(self.length or end, 6),
            "timeline": self.timeline or self.key,
            "starts_at": round(self.starts_at, 6),
            "first": self.first,
            "blind": self.is_blind,
        }


def _shared_folder(urls: Sequence[str]) -> str:
    """Return the folder of all ``urls``; "" if they have several."""
    folders = {url.rpartition("/")[0] for url in urls}
    return f"{folders.pop()}/" if len(folders) == 1 else ""


def _one_after_another(seconds: Sequence[float], fade: float) -> tuple[tuple[float, ...], float]:
    starts, end = [], 0.0
    for value in seconds:
        start = end - min(fade, end, value)
        starts.append(start)
        end = start + value
    return tuple(starts), end


def of_run(run: Run) -> Sound:
    """Return a saved run; its parts are its chunks."""
    rate = run.sample_rate
    return Sound(
        f"run:{run.id}",
        shortened(run.text),
        tuple(_url("runs", run.id, k, chunk) for k, chunk in enumerate(run.chunks)),
        tuple(chunk.audio_seconds for chunk in run.chunks),
        run.fade_samples / rate,
        starts=tuple(start / rate for start in run.starts),
        length=run.audio_seconds,
    )


def of_chunk(run: Run, index: int) -> Sound:
    """Return chunk ``index`` of a saved run, on the time axis of the run."""
    chunk = run.chunks[index]
    return Sound(
        f"run:{run.id}:{index}",
        f"Chunk {index + 1}: {shortened(chunk.chunk.text)}",
        (_url("runs", run.id, index, chunk),),
        (chunk.audio_seconds,),
        timeline=f"run:{run.id}",
        starts_at=run.starts[index] / run.sample_rate,
        first=index,
    )


def of_job(job: SpeechJob) -> Sound:
    """Return the run that ``job`` makes: the chunks that are finished, and the planned lengths of the others.

    While one chunk of a run is made again, that run is returned.
    """
    if job.base is not None:
        return of_run(job.run or job.base)
    made = job.chunks
    last = made[-1].chunk.index if made else -1
    planned = [chunk for chunk in job.plan if chunk.index > last]
    chunks = [*(one.chunk for one in made), *planned]
    rate = made[0].sample_rate if made else MelConfig().target_sample_rate
    lengths = [*(one.n_samples for one in made), *(round(chunk.planned_seconds * rate) for chunk in planned)]
    fades = job.request.fades([chunk.passage for chunk in chunks], rate)
    starts, end = join_places(lengths, fades, _silences(chunks, lengths, fades, rate))
    return Sound(
        f"run:{job.id}",
        shortened(job.request.text),
        tuple(_url("jobs", job.id, k, chunk) for k, chunk in enumerate(made)),
        tuple(length / rate for length in lengths),
        job.settings.cross_fade_duration,
        starts=tuple(start / rate for start in starts),
        length=end / rate,
    )


def of_bytes(wav: bytes, title: str, *, timeline: str = "", starts_at: float = 0.0) -> Sound:
    """Return the WAV file ``wav``, which the server keeps for a while under the hash of its bytes.

    Raises:
        AudioError: it is no WAV file.
    """
    digest, seconds = store.sounds().put(wav)
    return Sound(
        f"sound:{digest}", title, (f"/api/sounds/{digest}.wav",), (seconds,), timeline=timeline, starts_at=starts_at
    )


def of_voice(voice: Voice) -> Sound:
    """Return the reference recording of ``voice``, as the model is given it."""
    key = f"voice:{voice.id}"
    rate = voice.mel_config.target_sample_rate
    wav = resources.kept().get(("wav", key), lambda: to_bytes(voice.audio, rate))
    digest, seconds = store.sounds().put(wav)
    return Sound(key, f"Reference {voice.name}", (f"/api/sounds/{digest}.wav",), (seconds,))


def shortened(text: str) -> str:
    """Return the beginning of ``text`` in one line."""
    line = " ".join(text.split())
    return line if len(line) <= _TITLE_CHARACTERS else f"{line[: _TITLE_CHARACTERS - 1].rstrip()}…"


def _silences(chunks: Sequence[Chunk], lengths: Sequence[int], fades: Sequence[int], rate: int) -> list[int]:
    """Samples of silence before the first of ``chunks`` and after each, as in a run."""
    pauses = [chunks[0].lead_seconds if chunks else 0.0, *(chunk.pause_seconds for chunk in chunks)]
    return silences(pauses, [chunk.begins_seconds for chunk in chunks], lengths, fades, rate)


def _url(kind: str, run_id: str, index: int, chunk: ChunkResult) -> str:
    """Return the address of a chunk. Its end changes with the samples, so a browser never plays an older take."""
    made = f"{chunk.seed} {chunk.n_samples} {chunk.timing.total_seconds} {chunk.chunk.text}"
    return f"/api/{kind}/{run_id}/{index}.wav?v={zlib.crc32(made.encode('utf-8', 'replace')):08x}"
