"""``OnHub``: a model that comes from the Hugging Face hub and goes there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from .saving import SavedModel

__all__ = ["OnHub"]


class OnHub(SavedModel):
    """A saved model with a place on the Hugging Face hub."""

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        **options: Any,
    ) -> Self:
        """The model of a folder, or of a repository on the hub.

        Args:
            name: a folder, or ``"user/name"``.
            revision: a commit, branch or tag.
            token: of the hub's user, for a private repository.
            **options: as of ``load``.

        Raises:
            CheckpointError: the hub did not give it, or as ``load``.
            MissingExtraError: huggingface-hub is not installed.
        """
        from ..storage import fetched

        return cls.load(fetched(name, revision, token), **options)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        figures: Mapping[str, Any] | None = None,
        dataset: str | None = None,
        license: str | None = None,
        private: bool | None = None,
        token: str | bool | None = None,
        commit_message: str = "A DT-GCNN model",
    ) -> str:
        """Save the model in a repository of the hub, made where it is missing. Returns its address.

        Its card tells settings, figures (as the hub's ``model-index``), data, how texts were
        encoded, and limits. The repository then holds vectors of training rows.

        Args:
            repo_id: ``"user/name"``.
            figures: what ``metrics.json`` holds; those of ``"trained"`` are told.
            dataset: the name of the data, on the hub or elsewhere.
            license: of the model, as the hub names it, such as ``"mit"``.
            private: whether a new repository is.
            token: of the hub's user; the one that is logged in where not given.
            commit_message: of the commit.

        Raises:
            ValueError: the text encoder's pretrained model lies in a folder of this machine.
            MissingExtraError: huggingface-hub is not installed.
        """
        from ..storage import pushed

        return pushed(
            self,
            repo_id,
            figures=figures,
            dataset=dataset,
            license=license,
            private=private,
            token=token,
            commit_message=commit_message,
        )
