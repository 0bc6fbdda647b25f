"""A report on a trained model: one HTML file that needs no network. It needs Bokeh."""

from .write import write_report

__all__ = ["write_report"]
