"""How like a teacher's images a student's are, by a classifier's features: no distances to compare with Inception's."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from farm.axes import Preprocessing
from farm.data.imageset import ImageSet, cuts, prepare

TOGETHER = 500
SUBSETS, SUBSET = 50, 1000  # of KID, as its authors take them
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a classifier saw: features float64 (n, d), answers int64 (n,), labels int64 (n,)."""

    features: Doubles
    answers: NDArray[np.int64]
    labels: NDArray[np.int64]


def look(classifier: nn.Module, images: ImageSet, preprocessing: Preprocessing, device: str = "cpu") -> Seen:
    """Show every image to a classifier, whose last linear layer's input are its features."""
    last = [module for module in classifier.modules() if isinstance(module, nn.Linear)][-1]
    caught: list[Tensor] = []
    classifier = classifier.to(device).eval()
    answers, labels = [], []
    hook = last.register_forward_pre_hook(lambda _, given: caught.append(given[0].detach()))
    with hook, torch.inference_mode():
        for start, stop in cuts(0, len(images), TOGETHER):
            block = images.block(start, stop)
            logits = classifier(torch.from_numpy(prepare(block.images, preprocessing)).to(device))
            answers.append(logits.argmax(dim=1).cpu().numpy())
            labels.append(block.labels)
    features = torch.cat(caught).double().cpu().numpy()
    return Seen(features=features, answers=np.concatenate(answers), labels=np.concatenate(labels))


def compare(made: Seen, real: Seen, seed: int = 0) -> dict[str, float]:
    """How often the classifier agrees with the class, and the distances of the features."""
    return {
        "agreement": float((made.answers == made.labels).mean()),
        "agreement_real": float((real.answers == real.labels).mean()),
        "fid": frechet(made.features, real.features),
        "kid": kernel(made.features, real.features, seed),
    }


def frechet(first: Doubles, second: Doubles) -> float:
    """The Frechet distance of two sets of features (n, d), taken as normal (Heusel et al. 2017, arXiv 1706.08500)."""
    means = first.mean(axis=0) - second.mean(axis=0)
    one, two = (np.atleast_2d(np.cov(features, rowvar=False)) for features in (first, second))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    shared = np.sqrt(np.clip(np.linalg.eigvalsh(root @ two @ root), 0, None)).sum()
    return float(means @ means + np.trace(one) + np.trace(two) - 2 * shared)


def kernel(first: Doubles, second: Doubles, seed: int = 0) -> float:
    """KID: unbiased MMD^2 of a cubic kernel, the mean over subsets (Binkowski et al. 2018, arXiv 1801.01401, 4)."""
    random = np.random.default_rng(seed)
    size = min(SUBSET, len(first), len(second))
    distances = []
    for _ in range(SUBSETS):
        one = first[random.choice(len(first), size, replace=False)]
        two = second[random.choice(len(second), size, replace=False)]
        distances.append(_apart(_cubic(one, one)) + _apart(_cubic(two, two)) - 2 * _cubic(one, two).mean())
    return float(np.mean(distances))


def _apart(kernel: Doubles) -> float:
    """The mean over every two different rows."""
    size = len(kernel)
    return float(kernel.sum() - np.trace(kernel)) / (size * (size - 1))


def _cubic(one: Doubles, two: Doubles) -> Doubles:
    products: Doubles = one @ two.T / one.shape[1] + 1
    return products * products * products  # numpy's power is far slower
