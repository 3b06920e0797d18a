"""Every figure of speed in one table: `python -m benchmarks.all --markdown`. About ten minutes on two idle cores."""

import argparse
from datetime import UTC, datetime
from statistics import median

import torch

from benchmarks.evaluation import measure_costs
from benchmarks.scale import measure_report_costs
from benchmarks.start import measure_first_step_s, measure_help_s, measure_preparation_s
from benchmarks.train_step import Measurement, measure, measure_dense_flops_per_s
from mainrun.provenance import describe_machine

Row = tuple[str, str, str]
"""What, measured, goal."""

NUM_STARTS = 5


def measure_all(data: str, num_rounds: int) -> list[Row]:
    """All rows; `data` is the source whose 100,000 titles are prepared."""
    return [*measure_training(num_rounds), *measure_waiting(data), *measure_reports()]


def measure_training(num_rounds: int) -> list[Row]:
    """The step at `mainrun`, in bfloat16 too where products are faster in it, and the cost of an evaluation."""
    device = torch.device("cpu")
    rates = {name: measure_dense_flops_per_s("mainrun", device, name) for name in ("float32", "bfloat16")}
    worth_asking = [name for name, rate in rates.items() if rate >= rates["float32"]]
    found = {name: measure("mainrun", "baseline", device, name, num_rounds) for name in worth_asking}
    rows = [row for measured in found.values() for row in _describe_step(measured)]
    if "bfloat16" in found:
        ratio = found["float32"].plain_s / found["bfloat16"].ours_s
        rows.append(("time, plain in float32 ÷ ours in bfloat16", f"{ratio:.2f}", "≥ 3"))
    costs = measure_costs("mainrun", "baseline", num_rounds)
    return [*rows, ("evaluation ÷ a third of training", _format_spread(costs, 2), "≤ 1.1")]


def _describe_step(found: Measurement) -> list[Row]:
    precision = found.precision
    memory = f"{_megabytes(found.ours_peak_memory_bytes)} ÷ {_megabytes(found.plain_peak_memory_bytes)}"
    dense = f"{found.dense_share_percent:.0f} % of {found.dense_gflop_per_s:.0f} GFLOP/s"
    default = f"{found.default_dense_share_percent:.0f} % of {found.default_dense_gflop_per_s:.0f} GFLOP/s"
    goals = ("≥ 1.5", "≤ 0.4", "≥ 80 %") if precision == "float32" else ("≥ 1.6", "≤ 0.4", "")
    name = f"share of the rate of dense {precision} products"
    shares = [
        (f"{name}, torch's default", default, goals[2]),
        ("the same, with the library of our step", dense, goals[2]),
    ]
    return [
        (
            f"{precision} step, plain eager",
            f"{found.plain_s:.1f} s ({found.plain_min_s:.1f}–{found.plain_max_s:.1f})",
            "",
        ),
        (f"{precision} step, ours", f"{found.ours_s:.1f} s ({found.ours_min_s:.1f}–{found.ours_max_s:.1f})", ""),
        ("time, plain ÷ ours", f"{found.step_time_ratio:.2f} ({found.ratio_min:.2f}–{found.ratio_max:.2f})", goals[0]),
        ("peak memory, ours ÷ plain", f"{found.peak_memory_ratio:.2f} ({memory})", goals[1]),
        *(shares if precision == "float32" else [(name, dense, "")]),
    ]


def measure_waiting(data: str) -> list[Row]:
    """What passes before anything happens."""
    helps = [measure_help_s() for _ in range(NUM_STARTS)]
    starts = [measure_first_step_s() for _ in range(NUM_STARTS)]
    first, again = measure_preparation_s(data)
    return [
        ("`harness --help`, seconds", _format_spread(helps, 2), "≤ 0.3"),
        ("`compare` to its first step at `quick`, seconds", _format_spread(starts, 1), "≤ 10"),
        ("100,000 titles read, tokenizer trained, encoded", f"{first:.1f} s", "≤ 10 s"),
        ("the same from the cache", f"{again:.2f} s", "≤ 1 s"),
    ]


def measure_reports() -> list[Row]:
    """Collecting and rendering, by number of runs."""
    return [
        (f"`report`, {cost.num_runs} runs, {cost.num_rows:,} rows, seconds",
         f"{_format_spread(cost.seconds, 1)}, {_megabytes(cost.peak_memory_bytes)}",
         {2: "≤ 6", 20: "≤ 15, 1,000 MB"}.get(cost.num_runs, ""))
        for cost in measure_report_costs()
    ]  # fmt: skip


def format_markdown(rows: list[Row]) -> str:
    """The rows as a Markdown table, under a line that says where and when."""
    machine = describe_machine(torch.device("cpu"), "float32")
    torch_version = machine["library_versions"]["torch"]
    return "\n".join(
        [
            f"{machine['device_name']}, {machine['num_threads']} threads, torch {torch_version}, "
            f"{datetime.now(UTC):%Y-%m-%d}:",
            "",
            "| | measured | goal |",
            "|---|---:|---:|",
            *(f"| {what} | {found} | {goal} |" for what, found, goal in rows),
        ]
    )


def format_text(rows: list[Row]) -> str:
    """The rows in columns."""
    return "\n".join(f"{what:<50} {found:>32}   {goal}" for what, found, goal in rows)


def main() -> None:
    """Measures everything and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.all", description=__doc__)
    parser.add_argument("--data", default="synthetic", help="whose 100,000 titles are prepared (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    rows = measure_all(given.data, given.rounds)
    print(format_markdown(rows) if given.markdown else format_text(rows))


def _format_spread(values: list[float], digits: int) -> str:
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.0f} MB"


if __name__ == "__main__":
    main()
