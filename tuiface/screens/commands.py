"""The commands that screens show: each runs as it stands, from any folder, and makes the very faces that are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuiface.actions import (
    file_expression,
    model_flags,
    plain_seed,
    psi_flags,
    python_code,
    quote_words,
    recipe_expression,
    render_words,
)
from tuiface.core.assets import embedded_model_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tuiface.faces.studio import Face
    from tuiface.screens.engine_state import EngineState
    from tuiface.screens.kept_faces import KeptFaces


class Commands:
    """Made of faces and flags. Each is empty where a face can be said by no flags, nor kept in a file."""

    def __init__(self, engine: EngineState, kept: KeptFaces) -> None:
        self._engine = engine
        self._kept = kept
        self._has_model_setting = engine.settings.model is not None

    def render(self, face: Face) -> str:
        """`tuiface render`, by flags where they can say the face."""
        words = render_words(face.recipe, face.studio.catalogue, face.studio.populations)
        if words is None:
            path = self._kept.path_of(face)
            if path is None:
                return ""
            words = [str(path)]
        return self.of_network("render", *words)

    def render_seeds(self, first: Face, count: int) -> str:
        """`tuiface render` of `count` seeds from that of `first` on; empty where flags cannot say them."""
        words = render_words(first.recipe, first.studio.catalogue, first.studio.populations)
        return "" if words is None else self.of_network("render", words[0], "--count", str(count), *words[1:])

    def of_faces(self, command: str, faces: Sequence[Face], *flags: str) -> str:
        """`tuiface swap` or `morph`: plain seeds of one psi by their numbers, all other faces by files."""
        seeds = [plain_seed(face.recipe) for face in faces]
        psi = next((face.recipe.truncation.psi for face, seed in zip(faces, seeds, strict=True) if seed is not None), 1)
        words = []
        for face, seed in zip(faces, seeds, strict=True):
            if seed is not None and face.recipe.truncation.psi == psi:
                words.append(str(seed))
            elif (path := self._kept.path_of(face)) is not None:
                words.append(str(path))
            else:
                return ""
        has_seed = any(seed is not None for seed in seeds)
        return self.of_network(command, *words, *flags, *(psi_flags(psi) if has_seed else ()))

    def of_network(self, *words: str) -> str:
        """Any command, with the network that is open now."""
        return quote_words(["tuiface", *words, *model_flags(self._model)])

    def python(self, faces: Sequence[Face]) -> str:
        """A script that makes and saves `faces`; empty where there are none."""
        expressions = []
        for face in faces:
            if render_words(face.recipe, face.studio.catalogue, face.studio.populations) is not None:
                expressions.append(recipe_expression(face.recipe, face.studio.catalogue))
            elif (path := self._kept.path_of(face)) is not None:
                expressions.append(file_expression(path))
            else:
                return ""
        return python_code(expressions, self._model) if expressions else ""

    @property
    def _model(self) -> Path | None:
        """What has to be said of the network that is open; None where commands open it by themselves."""
        model = self._engine.settings.model
        if model is None and self._has_model_setting:  # chosen here, in place of the one that commands would open
            return embedded_model_path()
        return model
