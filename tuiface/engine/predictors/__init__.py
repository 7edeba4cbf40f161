"""What a picture of an aligned face shows, read by small networks of our own: regions and attributes.

    from tuiface.engine.predictors import AttributePredictor, Segmenter
    probabilities = Segmenter.load().probabilities(images)      # [N, K, R, R] over Region ids
    predictor = AttributePredictor.load()
    values = predictor.read(images)                             # [N, len(predictor.names)]

Images are float32 [N, 3, R, R] in [-1, 1], of any size; both predictors are differentiable in them.
"""

from __future__ import annotations

from tuiface.engine.predictors.attributes import AttributePredictor
from tuiface.engine.predictors.files import Attribute, PredictorCard
from tuiface.engine.predictors.segmenter import Segmenter

__all__ = ["Attribute", "AttributePredictor", "PredictorCard", "Segmenter"]
