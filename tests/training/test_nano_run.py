"""What a stage keeps of itself, and how it goes on."""

import pytest
import torch
from torch import nn

from training import keep as keeper
from training import run as module
from training.run import Run, load_stage


@pytest.fixture(autouse=True)
def no_processor_time(monkeypatch):
    monkeypatch.setattr(module.time, "process_time", lambda: 0.0)


def stage(folder, name="stage", **options) -> tuple[Run, nn.Linear]:
    torch.manual_seed(0)
    linear = nn.Linear(3, 1, bias=False)
    return Run(folder, name, linear, seconds=60, rate=0.1, warmup=1, **options), linear


def steps(run, linear, count) -> list[torch.Tensor]:
    """The weights behind each of so many steps."""
    made = []
    for _ in range(count):
        assert not run.over
        run.take((linear(torch.ones(3)) - 7).square().sum())
        made.append(linear.weight.detach().clone())
    return made


def test_what_is_kept_is_the_average_and_it_goes_on_from_the_latest(tmp_path):
    run, linear = stage(tmp_path, average=0.75)
    wanted = linear.weight.detach().clone()
    for weight in (made := steps(run, linear, 4)):
        wanted = 0.75 * wanted + 0.25 * weight
    run.keep()
    assert torch.allclose(load_stage(tmp_path, "stage")["weight"], wanted)
    assert not torch.allclose(wanted, made[-1], atol=1e-2)

    whole, straight = stage(tmp_path / "elsewhere", average=0.75)
    *_, fifth = steps(whole, straight, 5)
    resumed, again = stage(tmp_path, average=0.75)
    assert torch.equal(again.weight, made[-1])
    assert torch.allclose(steps(resumed, again, 1)[0], fifth)
    resumed.keep()
    assert torch.allclose(load_stage(tmp_path, "stage")["weight"], 0.75 * wanted + 0.25 * fifth)


def test_without_an_average_the_weights_are_kept_as_they_are(tmp_path):
    run, linear = stage(tmp_path)
    *_, last = steps(run, linear, 3)
    run.keep()
    assert torch.equal(load_stage(tmp_path, "stage")["weight"], last)


def test_what_is_kept_for_good_is_the_average_alone(tmp_path):
    (tmp_path / "work" / "nano").mkdir(parents=True)
    run, linear = stage(tmp_path / "work", name="decoder", average=0.75)
    steps(run, linear, 2)
    run.keep()
    keeper.main(tmp_path / "work", tmp_path / "kept")
    kept = torch.load(tmp_path / "kept" / "decoder.pt", weights_only=True)
    assert kept.keys() == {"module", "step", "used"}
    assert kept["step"] == 2
    average = load_stage(tmp_path / "work", "decoder")["weight"]
    assert torch.equal(kept["module"]["weight"], average.half())
