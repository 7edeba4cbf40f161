"""Procedural head portraits with ground truth: the labelled, person-free training set of the embedded model.

```python
from tuiface.heads import render_heads, sample_parameters

parameters = sample_parameters(8, seed=1).override(smile=1.0, hair_style="bob")
heads = render_heads(parameters, resolution=128)
heads.pixels, heads.regions                        # uint8 [8, 128, 128, 3] and [8, 128, 128]
```
"""

from tuiface.heads.capture import HeadRenderer
from tuiface.heads.dataset import write_dataset
from tuiface.heads.labels import LABELS, compute_labels
from tuiface.heads.render import RESOLUTIONS, HeadBatch, render_heads
from tuiface.heads.sampling.emotions import EMOTIONS, emotion_intensities, express
from tuiface.heads.sampling.parameters import (
    COLUMN,
    ENCODING,
    SPECIFICATION,
    HeadParameters,
    Parameter,
    concatenate,
    encode,
)
from tuiface.heads.sampling.priors import sample_parameters

__all__ = [
    "COLUMN",
    "EMOTIONS",
    "ENCODING",
    "LABELS",
    "RESOLUTIONS",
    "SPECIFICATION",
    "HeadBatch",
    "HeadParameters",
    "HeadRenderer",
    "Parameter",
    "compute_labels",
    "concatenate",
    "emotion_intensities",
    "encode",
    "express",
    "render_heads",
    "sample_parameters",
    "write_dataset",
]
