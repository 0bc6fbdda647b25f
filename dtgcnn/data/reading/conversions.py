"""What makes files of formats that are not read into ones that are."""

from __future__ import annotations

__all__ = ["CONVERTED"]

_FRAME = "pandas.read_{}(path).to_parquet('data.parquet')"
_UNPACK = "unpacking it, and gzip where it must stay packed,"
CONVERTED = {
    **dict.fromkeys((".xlsx", ".xls", ".ods"), _FRAME.format("excel")),
    ".h5": _FRAME.format("hdf"),
    ".hdf5": _FRAME.format("hdf"),
    ".orc": _FRAME.format("orc"),
    ".xml": _FRAME.format("xml"),
    ".dta": _FRAME.format("stata"),
    ".sav": _FRAME.format("spss"),
    **dict.fromkeys((".pkl", ".pickle"), _FRAME.format("pickle")),
    ".joblib": "numpy.savez('data.npz', x=…, y=…) of what joblib.load gives",
    ".mat": "numpy.savez('data.npz', x=…, y=…) of what scipy.io.loadmat gives",
    ".arff": "pandas.DataFrame(scipy.io.arff.loadarff(path)[0]).to_parquet('data.parquet')",
    **dict.fromkeys(
        (".pt", ".pth", ".bin", ".ckpt"),
        "safetensors.torch.save_file({'x': …, 'y': …}, 'data.safetensors') after torch.load",
    ),
    **dict.fromkeys((".yaml", ".yml"), "json.dump of what yaml.safe_load gives"),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3"), "sqlite3 -header -csv with a query"),
    **dict.fromkeys((".zip", ".bz2", ".xz", ".zst", ".tar", ".tgz", ".7z", ".rar"), _UNPACK),
    **dict.fromkeys((".svm", ".libsvm"), "sklearn.datasets.load_svmlight_file and numpy.savez"),
    **dict.fromkeys((".vec", ".glove"), "numpy.savez('data.npz', x=…, y=…) of its numbers"),
}
"""By the suffix of a format, what converts it."""
