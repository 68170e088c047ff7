"""Write the predictions of every arm as Parquet, so that each figure can be computed again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from consumers.errors import Stop
from consumers.evaluation.metrics import TargetEvents
from consumers.evaluation.predictions import ArmOutcome


def write_predictions(path: Path, target: TargetEvents, outcomes: list[ArmOutcome]) -> None:
    """Write one row for each target event, arm and seed.

    The rank is null in the first 30 % and for repeats. Raises Stop.
    """
    n = len(target.user)
    schema = pa.schema(
        [("index", pa.int64()), ("user_id", pa.string()), ("item_id", pa.string()), ("arm", pa.string()),
         ("seed", pa.int64()), ("rating", pa.float64()), ("prediction", pa.float64()), ("rank", pa.int64()),
         ("history", pa.int64())]
    )  # fmt: skip
    try:
        with pq.ParquetWriter(path, schema) as writer:
            for o in outcomes:
                columns = [
                    target.index, target.user_ids, target.item_ids, [o.arm] * n, np.full(n, o.seed),
                    pa.array(target.rating, mask=np.isnan(target.rating)),
                    pa.array(o.prediction, mask=np.isnan(o.prediction)),
                    pa.array(o.rank, mask=o.rank < 0), target.history,
                ]  # fmt: skip
                writer.write_table(pa.table(columns, schema=schema))
    except OSError as error:
        raise Stop(f"--predictions {path}: {error.strerror or error}") from error
