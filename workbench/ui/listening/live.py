"""Results of a listening test, live while people answer."""

from __future__ import annotations

import streamlit as st

from workbench import figures
from workbench.engine.errors import WorkbenchError
from workbench.engine.evaluation.statistics import Interval
from workbench.engine.listening import answers, design, results
from workbench.engine.listening.answers import Answer
from workbench.engine.listening.records import ListeningTest
from workbench.engine.listening.results import Compared
from workbench.ui import style
from workbench.ui.fragments import fragment
from workbench.ui.parts import tables
from workbench.ui.parts.theme import is_dark

POLL_SECONDS = 2.0


def show(test: ListeningTest) -> None:
    """Draw the results, and refresh them while the page is open."""
    st.caption(f"{len(test.systems)} systems: {style.plain(', '.join(test.systems))}. {test.levels}")
    fragment(run_every=POLL_SECONDS)(_live)(test)


def _live(test: ListeningTest) -> None:
    try:
        found, problems = answers.read_answers(test)
    except WorkbenchError as error:
        st.error(str(error))
        return
    counts: dict[str, int] = {}
    for one in found:
        counts[one.key] = counts.get(one.key, 0) + 1
    finished = sum(n == test.n_trials for n in counts.values())
    with st.container(horizontal=True, gap="medium"):
        st.metric("Answers", len(found), width=150)
        st.metric("Listeners", len(counts), width=150)
        st.metric("Finished", finished, width=150)
    if found:
        _scores(test, found) if test.kind == design.SCORE else _pairs(test, found)
    else:
        style.empty("No answer yet.")
    if found:
        st.download_button("CSV", answers.as_csv(test, found).encode("utf-8-sig"), f"{test.name}.csv", "text/csv",
                           on_click="ignore", icon=":material/download:", key="listen_csv")  # fmt: skip
    if problems:
        count = "1 file that is no answer" if len(problems) == 1 else f"{len(problems)} files that are no answers"
        with st.expander(count, icon=":material/broken_image:"):
            st.text("\n".join(problems))


def _pairs(test: ListeningTest, found: list[Answer]) -> None:
    compared = results.compare(test, found)
    rows = [_pair(test.kind, one) for one in compared]
    between = "/" if test.kind == design.ABX else "over"
    names = [f"{one.a} {between} {one.b}" for one in compared]
    shares = [(name, one.share, one.exact) for name, one in zip(names, compared, strict=True) if one.share is not None]
    title = "right answers" if test.kind == design.ABX else "share of the choices"
    if shares:
        st.plotly_chart(figures.intervals(shares, title, (0.0, 1.0), 0.5, dark=is_dark()), theme=None,
                        config=figures.CONFIG, key="listen_figure",
                        alt=f"{title} of each pair with its interval; the numbers are in the table")  # fmt: skip
    st.dataframe(rows, hide_index=True, placeholder=tables.NO_VALUE, alt="One row per pair of systems")
    for one in compared:
        st.markdown(results.verdict(test.kind, one, lambda name: f"**{style.plain(name)}**"))
    if len(compared) > 1:
        st.caption(f"With {len(compared)} pairs, one in twenty has p below {results.SIGNIFICANT} by chance alone.")
    if test.kind == design.ABX:
        with st.expander("By listener"):
            st.dataframe(
                results.by_listener(test, found),
                hide_index=True,
                placeholder=tables.NO_VALUE,
                alt="Right answers of each listener",
            )
    st.caption("p and interval: exact binomial. Bootstrap: listeners are drawn with all their answers. Choose the "
               "number of answers before you look: stopping when p is small makes it meaningless.")  # fmt: skip


def _pair(kind: str, one: Compared) -> dict[str, object]:
    head: dict[str, object] = {"first": one.a, "second": one.b}
    if kind == design.ABX:
        counts: dict[str, object] = {"right": one.n_a, "wrong": one.n_b}
    else:
        counts = {"for the first": one.n_a, "no difference": one.n_same, "for the second": one.n_b}
    return head | counts | {
        "right %" if kind == design.ABX else "first %": None if one.share is None else round(100 * one.share),
        "95 % interval": _shown(one.exact), "bootstrap": _shown(one.bootstrap),
        "p": None if one.p_value is None else round(one.p_value, 4), "listeners": one.n_listeners,
    }  # fmt: skip


def _shown(interval: Interval | None, digits: int | None = None) -> str:
    if interval is None:
        return "-"
    low, high = interval
    return f"{low:.0%} to {high:.0%}" if digits is None else f"{low:+.{digits}f} to {high:+.{digits}f}"


def _scores(test: ListeningTest, found: list[Answer]) -> None:
    means = results.means(test, found)
    shown = [(one.name, one.mean, one.bootstrap) for one in means]
    st.plotly_chart(figures.intervals(shown, "mean score", (1.0, 5.0), None, dark=is_dark()), theme=None,
                    config=figures.CONFIG, key="listen_figure",
                    alt="Mean score of each system with its interval; the numbers are in the table")  # fmt: skip
    rows = [
        {"system": one.name, "mean score": f"{one.mean:.2f}", "95 % interval": _plain(one.bootstrap), "answers": one.n}
        for one in means
    ]
    st.dataframe(rows, hide_index=True, placeholder=tables.NO_VALUE, alt="Mean score of each system")
    changes = results.differences(test, found)
    if changes:
        st.dataframe(
            [{"difference": one.name, "mean": f"{one.mean:+.2f}", "95 % interval": _shown(one.bootstrap, 2),
              "seen": results.seen(one),
              "pairs of answers": one.n} for one in changes],
            hide_index=True, placeholder=tables.NO_VALUE, alt="Mean differences of scores, paired by listener and text",
        )  # fmt: skip
    st.caption("Bootstrap intervals: listeners are drawn with all their answers (answers, while there is one). "
               "Differences are paired by listener and text; one is seen if its interval excludes 0.")  # fmt: skip


def _plain(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"
