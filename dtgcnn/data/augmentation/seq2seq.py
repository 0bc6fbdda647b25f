"""Sequence-to-sequence models of ``transformers``, as functions from texts to texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..encoders.encoding import report_cut, require

__all__ = ["Seq2Seq"]

_ENDLESS = 10**9  # tokenizers that know no longest text name a number beyond it


class Seq2Seq:
    """A paraphrasing or translating model, loaded when it is first asked.

    Beam search, not sampling: the same model gives the same answers.

    Args:
        model: the name of a model on the Hugging Face hub, or the folder of one.
        prefix: what the model wants to be told before each text, such as ``"paraphrase: "``.
        versions: answers for each text, best first.

    Raises:
        MissingExtraError: transformers or PyTorch is not installed.
        ValueError: ``versions`` is below 1.
        OSError: there is no such model; at the first call.
    """

    def __init__(self, model: str, prefix: str = "", versions: int = 4) -> None:
        if versions < 1:
            raise ValueError(f"versions must be at least 1, received {versions}")
        for package in ("transformers", "torch"):
            require(package, f"the model {model}", "transformers")
        self.model, self.prefix, self.versions = model, prefix, versions
        self._loaded: tuple[Any, Any] | None = None

    @property
    def name(self) -> str:
        """Which model with which settings this is: of a folder, its files' sizes and times too."""
        folder = Path(self.model)
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        states = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
        place = str(folder.resolve()) if files else self.model
        return repr((place, states, self.prefix, self.versions))

    def __call__(self, texts: list[str]) -> list[list[str]]:
        """The versions of each text."""
        import torch

        tokenizer, model = self._load()
        asked = [self.prefix + text for text in texts]
        longest = tokenizer.model_max_length
        if longest < _ENDLESS:
            found = tokenizer(asked, truncation=True, max_length=longest + 1)["input_ids"]
            cut = sum(len(ids) > longest for ids in found)
            report_cut(f"the model {self.model}", cut, len(asked), f"its {longest:,} tokens")
        tokens = tokenizer(asked, return_tensors="pt", padding=True, truncation=True)
        length = tokens["input_ids"].shape[1]
        with torch.inference_mode():
            output = model.generate(
                input_ids=tokens["input_ids"].to(model.device),
                attention_mask=tokens["attention_mask"].to(model.device),
                num_beams=max(4, self.versions),
                num_return_sequences=self.versions,
                do_sample=False,
                max_new_tokens=2 * length + 16,
            )
        answers: list[str] = tokenizer.batch_decode(output, skip_special_tokens=True)
        return [answers[i : i + self.versions] for i in range(0, len(answers), self.versions)]

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            import torch
            from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

            device = "cuda" if torch.cuda.is_available() else "cpu"
            if torch.backends.mps.is_available():
                device = "mps"
            tokenizer = AutoTokenizer.from_pretrained(self.model)
            model = AutoModelForSeq2SeqLM.from_pretrained(self.model)
            self._loaded = tokenizer, model.to(device).eval()
        return self._loaded
