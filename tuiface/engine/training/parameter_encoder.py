"""From a head's known parameters to w: the mapping network's stand-in while a paired start teaches the synthesis."""

from __future__ import annotations

from torch import Tensor, nn

from tuiface.engine.generator import FullyConnectedLayer
from tuiface.engine.training.settings import TrainingSettings
from tuiface.heads import ENCODING


class ParameterEncoder(nn.Module):
    """Three fully connected layers."""

    def __init__(self, settings: TrainingSettings) -> None:
        super().__init__()
        width, w_dim = settings.paired.encoder_width, settings.network.w_dim
        self.fc0 = FullyConnectedLayer(len(ENCODING), width, activate=True)
        self.fc1 = FullyConnectedLayer(width, width, activate=True)
        self.fc2 = FullyConnectedLayer(width, w_dim, activate=True)

    def forward(self, encoded: Tensor) -> Tensor:
        """Parameters [N, F] as `tuiface.heads.encode` gives them -> w [N, w_dim]."""
        return self.fc2(self.fc1(self.fc0(encoded)))  # type: ignore[no-any-return]
