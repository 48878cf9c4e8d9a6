"""Simulated fleets: what has to come out is known where nothing is drawn."""

import pytest

from benchmarks import simulate
from benchmarks.fleet import CallMix, Fleet
from benchmarks.step_times import StepTimes

QUICK = StepTimes({1: 0.010, 16: 0.020}, "quick", prefill=0.005)
SLOW = StepTimes({1: 0.070, 16: 0.160}, "slow", prefill=0.005)
MIX = CallMix(barge_in=0.0)


def test_between_and_beyond_the_measured_batches_is_a_straight_line():
    assert QUICK.at(1) == pytest.approx(0.010)
    assert QUICK.at(16) == pytest.approx(0.020)
    assert QUICK.at(31) == pytest.approx(0.030)
    assert StepTimes({4: 0.05}, "one").at(9) == 0.05


def test_times_are_kept_and_read(tmp_path):
    path = tmp_path / "times.json"
    path.write_text(QUICK.to_json())
    read = StepTimes.read(path)
    assert read.seconds == pytest.approx(QUICK.seconds)
    assert read.source == "quick"
    path.write_text('{"turn_ms": {}}')
    with pytest.raises(ValueError, match="holds no times"):
        StepTimes.read(path)


def test_the_floor_is_said_to_be_no_measurement():
    floor = StepTimes.floor()
    assert floor.at(1) == pytest.approx(0.0016, rel=0.05)
    assert "no measurement" in floor.source
    assert StepTimes.floor(10).at(64) == pytest.approx(10 * floor.at(64))


def test_one_caller_waits_for_its_prompt_and_one_frame():
    tally = Fleet(QUICK, MIX, callers=1, gpus=1, slots=16, warm_up=5.0).run(200.0)
    assert tally.answers > 5
    assert tally.waits == pytest.approx([0.015] * len(tally.waits))
    assert tally.bad == 0


def test_a_gpu_too_slow_for_real_time_leaves_gaps():
    # Admission would not take two: here it is the measured time that is wrong by half.
    late = StepTimes({1: 0.060, 2: 0.061}, "late")
    fleet = Fleet(late, MIX, callers=2, gpus=1, slots=2, warm_up=5.0)
    fleet.gpus[0]._took = [0.0, 0.060, 0.120]
    tally = fleet.run(200.0)
    assert tally.with_gaps > 0
    assert max(tally.gaps) == pytest.approx(0.04, abs=0.03)


def test_who_finds_no_place_is_refused():
    fleet = Fleet(SLOW, MIX, callers=12, gpus=1, slots=16, warm_up=5.0)
    assert fleet.gpus[0].room == 1, "0.8 of a frame is not enough for even one: one is taken all the same"
    tally = fleet.run(200.0)
    assert tally.refused > tally.answers > 0
    assert tally.bad > 0.5


def test_a_second_gpu_takes_half_of_the_callers():
    fleet = Fleet(QUICK, MIX, callers=9, gpus=2, slots=16)
    assert sorted(gpu.callers for gpu in fleet.gpus) == [4, 5]


def test_who_interrupts_frees_the_place():
    mix = CallMix(barge_in=1.0)
    fleet = Fleet(QUICK, mix, callers=3, gpus=1, slots=16, warm_up=5.0)
    tally = fleet.run(100.0)
    assert tally.answers > 20
    assert 0 <= fleet.gpus[0]._taken <= 3


def test_the_command_answers_how_many(tmp_path, capsys):
    path = tmp_path / "times.json"
    path.write_text(SLOW.to_json())
    arguments = ["--times", str(path), "--seconds", "30", "--callers", "2", "1000", "--largest", "4"]
    assert simulate.main([*arguments, "--bad", "0.2", "--plots", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "No GPU was measured" not in said
    assert "| slow | 1 |" in said
    assert (tmp_path / "gpus-for-callers.svg").stat().st_size < 60_000
    assert (tmp_path / "callers-of-one-gpu.svg").stat().st_size < 60_000


def test_what_a_prompt_takes_can_be_said(tmp_path, capsys):
    path = tmp_path / "times.json"
    path.write_text(QUICK.to_json())
    # A target that nobody can meet: the row is then that of one caller, who waits for nobody.
    arguments = ["--times", str(path), "--seconds", "60", "--callers", "1", "--first-sound", "0.001"]
    for prompt, first_sound in (("0", 10), ("40", 50)):
        assert simulate.main([*arguments, "--prefill-ms", prompt]) == 0
        (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| quick |")]
        assert [int(cell) for cell in row.split(" | ")[2:4]] == [0, first_sound]


def test_without_a_measurement_that_is_said(capsys):
    arguments = ["--slower", "25", "--seconds", "5", "--callers", "1", "--slots", "2", "--bad", "0.5"]
    assert simulate.main(arguments) == 0
    assert "No GPU was measured" in capsys.readouterr().out


def test_who_waits_too_long_for_the_first_sound_is_as_bad_as_a_gap():
    def most(first_sound: float) -> int:
        search = simulate.Search(
            QUICK, MIX, slots=64, seconds=60.0, bad=0.01, first_sound=first_sound, seed=1
        )
        return search.callers_of_one()

    assert most(0.001) == 0
    assert 0 < most(0.05) < most(60.0)
