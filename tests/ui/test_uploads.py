"""The server decodes uploads one at a time, and answers every browser that wants to send one."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

from workbench.ui import uploads
from workbench.ui.parts import voice_picker


def test_one_upload_at_a_time_is_decoded(monkeypatch):
    inside, most = [], []

    def decode(data, words, name, shorten_pauses):
        inside.append(name)
        most.append(len(inside))
        time.sleep(0.02)
        inside.remove(name)
        return name

    monkeypatch.setattr(voice_picker, "make_voice", decode)
    monkeypatch.setattr(voice_picker.resources, "remember_voice", lambda voice: voice)
    together = threading.Barrier(4)

    def upload(number: int) -> str:
        together.wait()
        return voice_picker._prepared(f"digest {number}", "Words.", f"name {number}", b"")

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(upload, range(4))) == [f"name {k}" for k in range(4)]
    assert most == [1, 1, 1, 1]


def waiting_at_the_start_of_a_run() -> list[str]:
    """What is still to be sent after a run of the whole page has begun: of a text and the address of an upload."""
    queue, address, text = ForwardMsgQueue(), ForwardMsg(), ForwardMsg()
    address.file_urls_response.response_id = "wanted"
    text.delta.new_element.text.body = "of the run before"
    for message in (text, address):
        queue.enqueue(message)
    queue.clear(retain_lifecycle_msgs=True)
    found = [message.WhichOneof("type") for message in queue.flush()]
    assert queue.is_empty()
    return found


def test_a_run_that_begins_leaves_the_address_of_an_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    own = getattr(ForwardMsgQueue.clear, "__wrapped__", ForwardMsgQueue.clear)
    monkeypatch.setattr(ForwardMsgQueue, "clear", own)
    assert waiting_at_the_start_of_a_run() == []  # once Streamlit keeps it, keep_addresses can go
    for _ in range(2):
        uploads.keep_addresses()
    assert waiting_at_the_start_of_a_run() == ["file_urls_response"]
