"""Python that makes the same faces as the interface shows, for a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuiface.core.limits import CHANNEL_LIMIT, W_AVG

if TYPE_CHECKING:
    from pathlib import Path

    from tuiface.directions.catalogue import Catalogue
    from tuiface.faces.recipe import Recipe


def python_code(faces: Sequence[str], model: Path | None) -> str:
    """A script that opens the network and saves the faces of these expressions of `studio`."""
    opened = "" if model is None else repr(str(model.absolute()))
    lines = [f"    {face}.save('out')" for face in faces]
    imports = ["import pathlib", ""] if any("pathlib." in face for face in faces) else []
    return "\n".join([*imports, "import tuiface", "", f"with tuiface.open({opened}) as studio:", *lines, ""])


def recipe_expression(recipe: Recipe, catalogue: Catalogue) -> str:
    """The calls that make `recipe`, where `render_words` can say it too."""
    from tuiface.faces.recipe import ChannelEdit

    assert recipe.source.kind == "seed"
    label, cutoff = recipe.source.label, recipe.truncation.cutoff
    arguments = {"seed": recipe.source.seed, "psi": recipe.truncation.psi, "cutoff": cutoff, "label": label}
    calls = [_call("face", **arguments)]
    if recipe.truncation.center != W_AVG:
        calls.append(_call("towards", recipe.truncation.center))
    for mix in recipe.mixes:
        assert mix.source.kind == "seed"
        other = _call("face", seed=mix.source.seed, label=mix.source.label)
        calls.append(f"mix(studio.{other}, {mix.rows})")
    for edit in recipe.edits:
        if isinstance(edit, ChannelEdit):
            name, rows, limit = f"{edit.channel[0]}:{edit.channel[1]}", None, CHANNEL_LIMIT
        else:
            direction = catalogue.by_digest(edit.sha256)
            assert direction is not None
            name, rows, limit = edit.direction, edit.rows, direction.header.limit
        calls.append(_call("edit", name, edit.amount, rows=rows, beyond=abs(edit.amount) > limit or None))
    calls += [_call("lock", lock.region, lock.strength, lock.guarantee) for lock in recipe.locks]
    if recipe.noise.mode != "const":
        calls.append(_call("noise", recipe.noise.mode, seed=recipe.noise.seed))
    return ".".join(["studio", *calls])


def file_expression(path: Path) -> str:
    """The call that opens the face of a file."""
    return f"studio.open_file(pathlib.Path({str(path)!r}))"


def _call(name: str, *values: object, **named: object) -> str:
    """A call; what is None is left to its default."""
    words = [*map(repr, values), *(f"{key}={value!r}" for key, value in named.items() if value is not None)]
    return f"{name}({', '.join(words)})"
