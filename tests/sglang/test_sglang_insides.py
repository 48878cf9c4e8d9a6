"""What we lean on of SGLang's insides is what it was: if one of these fails, read `engine/sglang/rows.py`."""

import argparse
import hashlib
import inspect

import pytest
import torch
from sglang.srt.managers.scheduler_components import batch_result_processor
from sglang.srt.server_args import ServerArgs

from engine.api import EngineError
from engine.sglang import installed, rows
from engine.sglang.names import ROWS
from engine.sglang.options import arguments, parsed

SOURCES = {
    "_append_prefill_hidden_states": "eaa916a9a56f63b7",
    "_append_decode_hidden_states": "b41e6ab1567b579c",
}


@pytest.fixture
def processor(monkeypatch):
    """SGLang's own class, as it is before and after a test."""
    taken = batch_result_processor.SchedulerBatchResultProcessor
    for name in SOURCES:
        monkeypatch.setattr(taken, name, inspect.getattr_static(taken, name))
    return taken


def test_sglang_is_the_one_that_this_was_written_against():
    assert installed.why_not() is None


def test_the_functions_that_are_replaced_are_those_that_were_read(processor):
    found = {
        name: hashlib.sha256(inspect.getsource(getattr(processor, name)).encode()).hexdigest()[:16]
        for name in SOURCES
    }
    assert found == SOURCES


def test_other_functions_in_their_place_are_refused(processor, monkeypatch):
    monkeypatch.setattr(processor, "_append_decode_hidden_states", staticmethod(lambda req, rows: None))
    with pytest.raises(RuntimeError, match="hidden states in another way"):
        rows.install()


class Req:
    customized_info = None
    return_hidden_states = "last"


class Last:
    @staticmethod
    def is_last():
        return True


class Logits:
    def __init__(self, hidden):
        self.hidden_states = hidden


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_rows_are_the_bytes_of_the_hidden_states(dtype):
    hidden = torch.randn(3, 8).to(dtype)
    req, other = Req(), Req()
    common = {"logits_output": Logits(hidden), "capture_hidden_mode": Last, "extend_input_len": 5}
    assert rows._append_prefill(None, req=req, hidden_state_offset=1, **common) == 2
    assert rows._append_prefill(None, req=other, hidden_state_offset=2, store=False, **common) == 3
    rows._append_decode(req=req, hidden_states=hidden, start=2, accept_len=1)
    rows._append_decode(req=req, hidden_states=hidden, start=0, accept_len=0)
    assert other.customized_info is None, "a chunk of a prompt that goes on has no row"
    read = [torch.frombuffer(bytearray(each), dtype=dtype) for each in req.customized_info[ROWS]]
    assert torch.equal(torch.stack(read), hidden[1:])


@pytest.fixture(scope="module")
def parser():
    made = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    ServerArgs.add_cli_args(made)
    return made


def test_options_pass_through_with_the_types_that_sglang_gives_them(parser):
    given = (
        ("mem-fraction-static", "0.4"),
        ("chunked_prefill_size", "128"),
        ("disable-radix-cache", "true"),
        ("enable-metrics", "false"),
        ("chunked-prefill-size", "64"),
    )
    assert parsed(given, parser) == {
        "mem_fraction_static": 0.4,
        "chunked_prefill_size": 64,
        "disable_radix_cache": True,
    }


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("no-such-thing", "1"), "no-such-thing"),
        (("mem-fraction-static", "much"), "mem-fraction-static"),
        (("tp-size", "2"), "say --tp"),
        (("return-hidden-states-mode", "full"), "depends on it"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(parser, option, said):
    with pytest.raises(EngineError, match=said):
        parsed([option], parser)


def test_all_arguments_of_ours_are_sglang_s(parser):
    known = vars(parser.parse_args(["--model-path", "x"]))
    for device in ("cpu", "cuda"):
        ours = arguments(
            device=torch.device(device), dtype=torch.bfloat16, context=9, answers=2, tp=2, fraction=0.5
        )
        assert ours.keys() <= known.keys()
