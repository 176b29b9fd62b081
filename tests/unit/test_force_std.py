"""Standard deviations of forces: against differences of the covariance of energies, by sums."""

from itertools import pairwise

import numpy as np
import pytest
from repulsive import frame

from mekrr import MEKRR

STEP = {"gaussian": 4e-3, "matern5": 1e-3, "matern3": 1e-5, "linear": 4e-3}  # Å
CLOSE = {"gaussian": 1e-3, "matern5": 1e-3, "matern3": 1e-2, "linear": 1e-3}  # relative


class Process:
    """The Gaussian process of energies of a model: sums over pairs of atoms, one by one."""

    def __init__(self, model):
        self.model, self.ridge = model, model.ridge_
        self.backbone = model.potential("float64").backbone
        rows = [slice(*ends) for ends in pairwise(model.train_.pointer.tolist())]
        self.training = [
            (model.train_.features[r].astype(float), model.train_.species[r]) for r in rows
        ]
        self.raw = self.kernels([self.training[t] for t in range(len(rows))])
        self.scales = np.ones(self.raw.shape[-1])
        if model.kernel == "linear":
            centre = self.raw.mean(axis=0)
            own = np.array([self.raw[t, t] - 2 * centre[t] for t in range(len(rows))])
            own = (own + centre.mean(axis=0)).mean(axis=0)
            self.scales = np.r_[own[0], np.full(len(own) - 1, own[1:].sum())]

    def of(self, atoms):
        graph = self.backbone.graph([atoms])
        return self.backbone.forward(graph).layers[1].detach().numpy().astype(float), atoms.numbers

    def kernels(self, frames):
        """(n, T, 1 + S) K_0 and the share of each species, as they are."""
        return np.array([[self.kernel(x, y) for y in self.training] for x in frames])

    def kernel(self, x, y):
        (h, s), (g, t) = x, y
        if self.model.kernel == "linear":
            k = h @ g.T
        else:
            r = np.sqrt(np.square(h[:, None] - g).sum(axis=2)) / self.model.lengthscale_
            k = {
                "gaussian": lambda: np.exp(-(r**2) / 2),
                "matern5": lambda: (1 + 5**0.5 * r + 5 * r**2 / 3) * np.exp(-(5**0.5) * r),
                "matern3": lambda: (1 + 3**0.5 * r) * np.exp(-(3**0.5) * r),
            }[self.model.kernel]()
        parts = [k.mean()]
        for species in sorted(set(self.model.train_.species.tolist())):
            block = k[np.ix_(s == species, t == species)]
            size = k.size if self.model.form == "extensive" else max(block.size, 1)
            parts.append(block.sum() / size)
        return np.array(parts)

    def covariance(self, atoms, others):
        x, y = self.of(atoms), self.of(others)
        kx, ky, k = *self.kernels([x, y]), self.kernel(x, y)
        if self.model.kernel == "linear":
            mean, overall = self.raw.mean(axis=0), self.raw.mean(axis=(0, 1))
            k = k - kx.mean(axis=0) - ky.mean(axis=0) + overall
            kx, ky = (each - each.mean(axis=0) - mean + overall for each in (kx, ky))
        alpha = self.model.alpha_
        each = list(alpha.values()) if isinstance(alpha, dict) else [alpha] * (len(self.scales) - 1)
        weights = np.r_[1 - np.mean(each), each] / self.scales
        kx, ky, k = kx @ weights, ky @ weights, k @ weights
        left, right = (np.linalg.solve(self.ridge.factor_, each) for each in (kx, ky))
        size = len(atoms) if self.model.form == "extensive" else 1
        return (size * self.ridge.scale_) ** 2 * self.ridge.variance_ * (k - left @ right)


@pytest.mark.parametrize("alpha", [0.0, 0.4, "by-species"])
@pytest.mark.parametrize("form", ["extensive", "intensive"])
@pytest.mark.parametrize("kernel", list(STEP))
def test_of_the_gaussian_process(registry, frames, rng, kernel, form, alpha):
    options = {"kernel": kernel, "form": form, "alpha": alpha, "regularisation": 1e-4}
    model = MEKRR("analytic", layer=1, registry=registry, **options).fit(frames[:8])
    atoms, process, step = frame(rng, "Cu3O"), Process(model), STEP[kernel]
    found = model.potential("float64").force_std(atoms)
    assert found.shape == (4, 3)
    for atom, axis in ((0, 2), (3, 0)):  # copper, oxygen
        ends = [atoms.copy(), atoms.copy()]
        ends[0].positions[atom, axis] += step
        ends[1].positions[atom, axis] -= step
        c = [[process.covariance(x, y) for y in ends] for x in ends]
        variance = (c[0][0] - 2 * c[0][1] + c[1][1]) / (4 * step**2)
        assert found[atom, axis] == pytest.approx(np.sqrt(variance), rel=CLOSE[kernel])


def test_of_a_constant_nothing_is_known(registry, frames):
    """As of its energies: no scale is there to be uncertain by."""
    with pytest.warns(UserWarning, match="all 4 training energies are the same"):
        model = MEKRR("analytic", layer=1, registry=registry, regularisation=1e-4).fit(
            frames[:8:2], np.ones(4)
        )
    assert np.isinf(model.potential().force_std(frames[0])).all()


def test_of_an_atom_alone(registry, frames):
    """No neighbour, no force, and no doubt of it."""
    model = MEKRR("analytic", layer=1, registry=registry, regularisation=1e-4).fit(frames[:8])
    alone = frames[0][:1]
    alone.pbc = False
    np.testing.assert_array_equal(model.potential().force_std(alone), np.zeros((1, 3)))
