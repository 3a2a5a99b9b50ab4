"""Open a script from a file, say what is not used of it, and set gap and speeds."""

from __future__ import annotations

from html import escape

import streamlit as st

from workbench.engine.errors import TextError, WorkbenchError
from workbench.engine.scripts import SUFFIXES, Fit, Sheet, sheet_of
from workbench.engine.text import speakers
from workbench.ui import document, resources
from workbench.ui.parts.plan_view import Plan
from workbench.ui.scripts import batch, session
from workbench.ui.scripts.planning import is_script

MAX_MEGABYTES = 20
RECORDINGS = (".wav", ".flac", ".ogg", ".mp3", ".m4a")
_HELP = """Name a voice in brackets: it speaks until the next name.

    [Nora] Good evening. [pause 0.7s]
    [Arthur speed=0.9 seed=4] Is it?
    [main] The voice of the form.
    \\[Nora] in brackets, as words.

`nfe`, `cfg`, `at` and `until` (seconds) work as `speed` does. Upstream's `{"name": "Nora", "speed": 1}` is read too."""


def tools(found: Plan | None) -> None:
    """Draw the button behind which scripts are opened, and their settings; ``found`` is the plan of the text."""
    with st.popover("Script", icon=":material/groups:", help="Several voices, subtitles, tables of texts"):
        opened, table = st.tabs(["Script", "Table"])
        with opened:
            st.markdown(_HELP)
            _insert()
            _file()
            _settings(found)
        with table:
            batch.show()


def _insert() -> None:
    """Buttons that put the name of a voice at the end of the text."""
    names = [voice.name for voice in resources.bundled_voices()]
    st.pills("Add a passage of", names, key="script_insert", on_change=_add)


def _add() -> None:
    if name := st.session_state.get("script_insert"):
        text = document.text().rstrip()
        st.session_state.text = f"{text}\n[{name}] " if text else f"[{name}] "
        st.session_state.script_insert = None


def _file() -> None:
    kinds = [suffix[1:] for suffix in (*SUFFIXES, *RECORDINGS)]
    given = st.file_uploader(
        "Open a script or subtitles; with a TOML, also its recordings", type=kinds, accept_multiple_files=True,
        max_upload_size=MAX_MEGABYTES, key="script_files",
    )  # fmt: skip
    digests = tuple(file.file_id for file in given)
    if given and st.session_state.get("script_opened") != digests:
        try:
            _open({file.name: file.getvalue() for file in given})
        except WorkbenchError as error:
            st.error(str(error))
            return
        st.session_state["script_opened"] = digests
        document.use(text=st.session_state.pop("script_text"))
    for remark in st.session_state.get("script_remarks", ()) if given else ():
        st.html(f'<div class="wb-state"><span class="wb-warn">⚠</span><span>{escape(remark)}</span></div>')


def _open(files: dict[str, bytes]) -> None:
    """Take up the script among ``files``. Raises WorkbenchError."""
    scripts = [name for name in files if not name.lower().endswith(RECORDINGS)]
    toml = [name for name in scripts if name.lower().endswith(".toml")]
    if not scripts:
        raise TextError("There is no script among the files.", remedy=f"Add one of {', '.join(SUFFIXES)}.")
    name = (toml or scripts)[0]
    sheet = sheet_of(name, files[name], tuple(session.aliases()), files)
    main = resources.default_voice() if sheet.main is None else None
    session.take(sheet, sheet.cast(main, aliases=session.aliases(), load=resources.bundled_voice))
    st.session_state["script_text"] = sheet.text.strip()
    st.session_state["script_remarks"] = (*sheet.remarks, *_unused(sheet))


def _unused(sheet: Sheet) -> list[str]:
    """What of a TOML the form has itself."""
    found = []
    if sheet.settings:
        found.append(f"its settings are not put into the form: {', '.join(sheet.settings)}")
    if sheet.main is not None:
        found.append("its main voice is not put into the form")
    if sheet.model:
        found.append(f"it asks for the model {sheet.model}")
    return found


def _settings(found: Plan | None) -> None:
    """Draw the gap and, for passages with times, the limits of speed."""
    if not is_script(found):
        return
    st.slider(
        "Silence between passages, s", 0.0, 3.0, step=0.05, key=session.GAP,
        help="Where neither a pause nor a time is given.",
    )  # fmt: skip
    request = getattr(found, "request", None)
    if request is not None and request.script is not None and request.script.is_timed:
        st.slider(
            "Speeds that fit passages into their times", 0.5, 2.0, (Fit().slowest, Fit().fastest), 0.05,
            key=session.LIMITS, help="Beyond them, silence follows or the next passage begins late, and it is said.",
        )  # fmt: skip
    names = [name for name in session.aliases() if speakers.key(name) != speakers.key(session.aliases()[name])]
    if names:
        st.caption("Cast: " + ", ".join(f"{name} is {session.aliases()[name]}" for name in names))
