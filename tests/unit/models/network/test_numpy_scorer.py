"""The towers without torch equal those of torch."""

import numpy as np
import torch

from models.tables.replay_buffer import DAY
from tests.support.learners.network_world import TEXT, World

torch.set_num_threads(1)


def test_numpy_towers_equal_the_torch_ones(trained: World) -> None:
    """Both agree on items, and on users with many, few and no recent items, with and without gradients."""
    trainer, rng = trained.learner.trainer, np.random.default_rng(0)
    rows, text = rng.standard_normal((20, 8), np.float32), rng.standard_normal((20, TEXT), np.float32)
    near = rng.integers(0, 20, (5, 30))
    near[1], near[2, 1:], near[3, 7:] = -1, -1, -1
    days = np.sort(rng.random((5, 30)).astype(np.float32), axis=1)
    recent = np.zeros((5, 30, 3))
    recent[:, :, 2] = -DAY * days
    age = np.where(near >= 0, days - days[:, :1], 0).astype(np.float32)
    fixed = trainer.network.fixed_inputs(torch.from_numpy(text), torch.ones(20, dtype=torch.long))
    items = trainer.network.items(torch.from_numpy(rows), fixed).detach()
    np.testing.assert_allclose(trainer.scorer.items(rows, text, 1), items.numpy(), rtol=1e-4, atol=1e-5)
    vectors = items[:, :-1].contiguous()
    padded = np.pad(vectors.numpy(), ((0, 0), (0, 1)))
    users = trainer.network.users(vectors, torch.from_numpy(near), torch.from_numpy(age)).detach()
    np.testing.assert_allclose(
        trainer.scorer.users(padded, near, recent), users.numpy(), rtol=1e-4, atol=1e-5
    )
