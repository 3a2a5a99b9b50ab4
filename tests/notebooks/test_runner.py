"""The client that runs the lessons gets every message, even if its arrival raises no event."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import zmq
import zmq.asyncio
from jupyter_client.session import Session as Messages

from tests.notebooks import runner


async def received(timeout: float, sent: bool) -> tuple[dict, float]:
    """What a channel gets whose socket has lost its wake-up call, and after how many seconds."""
    messages, context = Messages(key=b"key"), zmq.asyncio.Context()
    theirs, mine = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    try:
        port = theirs.bind_to_random_port("tcp://127.0.0.1")
        mine.connect(f"tcp://127.0.0.1:{port}")
        began = time.monotonic()
        waiting = asyncio.ensure_future(runner.Channel(mine, messages).get_msg(timeout))
        await asyncio.sleep(0.05)
        asyncio.get_running_loop().remove_reader(mine.FD)
        if sent:
            await theirs.send_multipart(messages.serialize(messages.msg("status", {"execution_state": "idle"})))
        return await waiting, time.monotonic() - began
    finally:
        context.destroy(linger=0)


def run(work: Coroutine) -> Any:
    """What `work` returns, on a loop in a thread of its own: other tests may leave one running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result(120)


def test_a_message_that_woke_nobody_is_found_long_before_the_time_out() -> None:
    message, seconds = run(received(60, sent=True))
    assert message["content"] == {"execution_state": "idle"}
    assert seconds < 10


def test_no_message_is_a_time_out() -> None:
    began = time.monotonic()
    with pytest.raises(queue.Empty):
        run(received(1.5, sent=False))
    assert 1.4 < time.monotonic() - began < 10
