"""The labelled sample that comes with the package."""

from __future__ import annotations

from pathlib import Path

from .dataset import TripletDataset

__all__ = ["load_sample", "sample_path"]


def sample_path() -> Path:
    """Where the sample lies: a CSV file with the columns text, label and split."""
    return Path(__file__).with_name("sample.csv")


def load_sample() -> TripletDataset:
    """The sample as a dataset."""
    return TripletDataset(sample_path())
