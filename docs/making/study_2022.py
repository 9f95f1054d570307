"""The 2022 study's numbers: ``study_2022.csv``, copied from its Tables 1 and 2, and the sentences made of them."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

THEIRS = Path(__file__).with_suffix(".csv")


def drops(models: Sequence[str], calibration: str, variant: str = "default") -> str:
    """What int8 cost these models with a calibration set, in points of top-1."""
    fp32 = dict(_top1("", "ir"))
    lost = [(model, fp32[model] - top1) for model, top1 in _top1(calibration, variant) if model in models]
    return f"drop {', '.join(f'{100 * drop:.2f} ({model})' for model, drop in lost)} points"


def gap() -> str:
    """What DiStyleGAN's images cost beside real ones, by default quantization."""
    made = dict(_top1("distylegan", "default"))
    gaps = [100 * (top1 - made[model]) for model, top1 in _top1("cifar10", "default")]
    return f"DiStyleGAN loses {min(gaps):+.2f} to {max(gaps):+.2f} points against real images"


def better_than_teacher() -> str:
    """The models with which DiStyleGAN did better than StyleGAN2-ADA."""
    better = []
    for variant in ("default", "accuracy-aware"):
        teacher = dict(_top1("stylegan2-ada", variant))
        better += [f"{model} ({variant})" for model, top1 in _top1("distylegan", variant) if top1 > teacher[model]]
    return f"better with {', '.join(better)}"


def models() -> list[str]:
    """The study's five models."""
    return list(dict(_top1("", "ir")))


def speed(baseline: str) -> str:
    """How many times as fast as a baseline int8 was at most."""
    slow = {row["model"]: float(row["fps"]) for row in _rows() if row["variant"] == baseline}
    times = [
        (float(row["fps"]) / slow[row["model"]], row["model"])
        for row in _rows()
        if row["variant"] == "default" and row["fps"]
    ]
    return "up to {:.1f} times ({})".format(*max(times))


def _top1(calibration: str, variant: str) -> Iterator[tuple[str, float]]:
    for row in _rows():
        if (row["calibration"], row["variant"]) == (calibration, variant):
            yield row["model"], float(row["top1"])


def _rows() -> list[dict[str, str]]:
    with THEIRS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
