"""Procedural head portraits with ground truth: the labelled, person-free training set of the embedded model.

```python
from tuiface.heads import render_heads, sample_parameters

parameters = sample_parameters(8, seed=1).override(smile=1.0, hair_style="bob")
heads = render_heads(parameters, resolution=128)
heads.pixels, heads.regions                        # uint8 [8, 128, 128, 3] and [8, 128, 128]
```
"""

from tuiface.heads.dataset import write_dataset
from tuiface.heads.labels import LABELS, labels
from tuiface.heads.parameters import ENCODING, HeadParameters, concatenate, encode
from tuiface.heads.regions import REGION_COLOURS, REGION_NAMES, Region, colour_regions
from tuiface.heads.render import RESOLUTIONS, HeadBatch, render_heads
from tuiface.heads.sampling import sample_parameters
from tuiface.heads.specification import COLUMN, SPECIFICATION, Parameter

__all__ = [
    "COLUMN",
    "ENCODING",
    "LABELS",
    "REGION_COLOURS",
    "REGION_NAMES",
    "RESOLUTIONS",
    "SPECIFICATION",
    "HeadBatch",
    "HeadParameters",
    "Parameter",
    "Region",
    "colour_regions",
    "concatenate",
    "encode",
    "labels",
    "render_heads",
    "sample_parameters",
    "write_dataset",
]
