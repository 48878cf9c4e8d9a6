"""How many GPUs so many callers need: `python -m benchmarks.simulate`.

A discrete-event simulation (`benchmarks.fleet`) of callers and the engine's frame loops. The time of a turn
comes from `--times`, a file that `python -m benchmarks.frames MODEL --json FILE` wrote on the GPU in
question. Without, it stands on the memory's floor of an H200, times each of `--slower`: that is no
measurement, and the output says so. The call mix has options of its own.

For each it looks for the most callers of one GPU of whose answers at most `--bad` have a gap or are
refused, while 95 % begin within `--first-sound`; then for each of `--callers` it holds a fleet of as many
GPUs as that makes, and adds GPUs until the targets are met. Fleets beyond `--largest` callers are not held:
their GPUs are counted by callers a GPU.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import fields, replace
from operator import itemgetter
from pathlib import Path

from benchmarks.fleet import CallMix, Fleet, Tally
from benchmarks.report import number, table
from benchmarks.step_times import StepTimes

SIZING = Path(__file__).parents[1] / "docs" / "sizing"
HEAD = (
    "time of a turn",
    "answers spoken at once, at most",
    "callers of one GPU",
    "first sound p50, ms",
    "p95, ms",
    "answers with gaps or refused, %",
    "GPU busy, %",
)


class Search:
    """Simulations of one table of times.

    Args:
        bad: the share of answers with a gap or refused that is borne.
        first_sound: seconds from the end of a turn in which 95 % of the answers have to begin.
    """

    def __init__(
        self,
        times: StepTimes,
        mix: CallMix,
        *,
        slots: int,
        seconds: float,
        bad: float,
        first_sound: float,
        seed: int,
    ) -> None:
        self.times = times
        self._mix, self._slots, self._seconds, self._seed = mix, slots, seconds, seed
        self._bad, self._first_sound = bad, first_sound
        self._held: dict[tuple[int, int], tuple[Tally, float]] = {}

    def hold(self, callers: int, gpus: int = 1) -> tuple[Tally, float]:
        """What so many callers meet, and the share of time that a GPU is busy."""
        if (callers, gpus) not in self._held:
            fleet = Fleet(
                self.times, self._mix, callers=callers, gpus=gpus, slots=self._slots, seed=self._seed
            )
            tally = fleet.run(self._seconds)
            busy = sum(gpu.busy for gpu in fleet.gpus) / gpus / (tally.since + self._seconds)
            self._held[callers, gpus] = tally, busy
        return self._held[callers, gpus]

    def good(self, callers: int, gpus: int = 1) -> bool:
        """The targets are met. Where nobody was answered in the time, nobody waited too long."""
        tally, _ = self.hold(callers, gpus)
        return tally.bad <= self._bad and not tally.wait(95) > self._first_sound

    def callers_of_one(self) -> int:
        """The most for which one GPU meets the targets, to a thirtieth; 0: not even one."""
        if not self.good(1):
            return 0
        low, high = 1, 2
        while self.good(high):
            low, high = high, 2 * high
        while high - low > max(1, low // 30):
            middle = (low + high) // 2
            low, high = (middle, high) if self.good(middle) else (low, middle)
        return low

    def gpus_for(self, callers: int, of_one: int, largest: int) -> int:
        """How many GPUs so many callers need."""
        gpus = math.ceil(callers / of_one)
        while callers <= largest and not self.good(callers, gpus):
            gpus += 1
        return gpus

    @property
    def curve(self) -> list[tuple[int, Tally]]:
        """What was held on one GPU, by callers."""
        held = ((callers, tally) for (callers, gpus), (tally, _) in self._held.items() if gpus == 1)
        return sorted(held, key=itemgetter(0))

    @property
    def room(self) -> int:
        """Answers that one GPU speaks at once."""
        return Fleet(self.times, self._mix, callers=0, gpus=1, slots=self._slots).gpus[0].room


def draw(folder: Path, searches: list[Search], needed: dict[int, list[int]]) -> list[Path]:
    """`callers-of-one-gpu.svg` and `gpus-for-callers.svg`."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.fonttype"] = "none"
    mpl.rcParams["svg.hashsalt"] = "sizing"
    one = Figure((7.5, 5.5), layout="constrained")
    bad, waits = one.subplots(2, 1, sharex=True)
    fleet = Figure((7.5, 4), layout="constrained")
    axes = fleet.add_subplot()
    for index, search in enumerate(searches):
        label = search.times.source.partition(",")[0]
        callers = [each for each, _ in search.curve]
        color = f"C{index}"
        bad.plot(callers, [100 * tally.bad for _, tally in search.curve], ".-", color=color)
        late = [1000 * tally.wait(95) for _, tally in search.curve]
        waits.plot(callers, late, ".-", label=label, color=color)
        waits.plot(callers, [1000 * tally.wait(50) for _, tally in search.curve], ".:", color=color)
        axes.plot(list(needed), [gpus[index] for gpus in needed.values()], ".-", label=label, color=color)
    bad.set(ylabel="% with gaps or refused", ylim=(-0.2, 10))
    waits.set(xlabel="callers of one GPU", ylabel="first sound, ms (p95, dotted p50)", yscale="log")
    axes.set(xlabel="callers", ylabel="GPUs", xscale="log", yscale="log")
    for each in (bad, waits, axes):
        each.set_xscale("log")
        each.grid(alpha=0.3)
    waits.legend(loc="upper left")
    axes.legend()
    drawn = {"callers-of-one-gpu.svg": one, "gpus-for-callers.svg": fleet}
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in drawn.items():
        figure.savefig(folder / name, format="svg", metadata={"Date": None})
    return [folder / name for name in drawn]


def parse(arguments: list[str]) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulate", description=__doc__)
    parser.add_argument("--times", type=Path, nargs="+", help="files of benchmarks.frames --json")
    parser.add_argument(
        "--slower", type=float, nargs="+", default=[1.0, 10.0, 25.0], help="without: times the floor"
    )
    parser.add_argument(
        "--prefill-ms", type=float, help="what the prompt at the end of a turn adds to the turn that reads it"
    )
    parser.add_argument("--callers", type=int, nargs="+", default=[100, 1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--bad", type=float, default=0.001, help="share of answers with gaps or refused")
    parser.add_argument(
        "--first-sound", type=float, default=1.0, help="seconds in which 95 %% of the answers begin"
    )
    parser.add_argument("--slots", type=int, default=256, help="most answers at once that memory holds")
    parser.add_argument("--seconds", type=float, default=180.0, help="of each simulated fleet")
    parser.add_argument("--largest", type=int, default=1000, help="callers of the largest simulated fleet")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help=f"draw two plots there ({SIZING.name})")
    for each in fields(CallMix):
        parser.add_argument(
            f"--{each.name.replace('_', '-')}", type=float, default=each.default, help="see CallMix"
        )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    mix = CallMix(**{each.name: getattr(options, each.name) for each in fields(CallMix)})
    try:
        tables = (
            [StepTimes.read(path) for path in options.times]
            if options.times
            else [StepTimes.floor(slower) for slower in options.slower]
        )
    except ValueError as error:
        print(f"simulate: {error}", file=sys.stderr)
        return 1
    if options.prefill_ms is not None:
        tables = [replace(times, prefill=options.prefill_ms / 1000) for times in tables]
    searches = [
        Search(
            times,
            mix,
            slots=options.slots,
            seconds=options.seconds,
            bad=options.bad,
            first_sound=options.first_sound,
            seed=options.seed,
        )
        for times in tables
    ]
    rows, most = [], []
    for search in searches:
        callers = search.callers_of_one()
        most.append(callers)
        tally, busy = search.hold(max(1, callers))
        rows.append(
            (
                search.times.source,
                f"{search.room}",
                f"{callers}",
                *(number(tally.wait(percent), factor=1000) for percent in (50, 95)),
                number(tally.bad, 2, factor=100),
                number(busy, factor=100),
            )
        )
        print(f"simulate: {search.times.source}: {callers} callers of one GPU", file=sys.stderr)
    print(f"{mix}\n")
    print(
        f"At most {100 * options.bad:g} % of answers with gaps or refused, the first sound of 95 % within"
        f" {options.first_sound:g} s, {options.slots} slots.\n"
    )
    if not options.times:
        print("No GPU was measured: these times are the memory's floor, times what is said.\n")
    print(table(HEAD, rows))
    needed = {
        callers: [
            search.gpus_for(callers, of_one, options.largest) if of_one else 0
            for search, of_one in zip(searches, most, strict=True)
        ]
        for callers in options.callers
    }
    print()
    head = ("callers", *(f"GPUs: {search.times.source.partition(',')[0]}" for search in searches))
    print(
        table(
            head, [(f"{callers}", *(f"{each or '–'}" for each in gpus)) for callers, gpus in needed.items()]
        )
    )
    if options.plots:
        for path in draw(options.plots, searches, needed):
            print(f"\ndrawn {path.name}", end="")
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
