"""Send predictions to PredTrack, read their scores, and check its proofs without it.

>>> import predtrack_client as pt
>>> pt.check_rows([pt.Direction("AAPL", horizon=5, p_up=1.2)])[0].code
'confidence_is_0_to_1'
"""

from predtrack_client.client import Client, Model, Scores
from predtrack_client.connection import ApiError, Unreachable
from predtrack_client.predictions import (
    Direction,
    Fault,
    Prediction,
    Price,
    TimeToHit,
    Volatility,
    check_rows,
)
from predtrack_client.proofs import Checked, ProofError, check, check_proof
from predtrack_client.receipts import Receipt

__all__ = [
    "ApiError",
    "Checked",
    "Client",
    "Direction",
    "Fault",
    "Model",
    "Prediction",
    "Price",
    "ProofError",
    "Receipt",
    "Scores",
    "TimeToHit",
    "Unreachable",
    "Volatility",
    "check",
    "check_proof",
    "check_rows",
]
