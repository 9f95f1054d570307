"""The losses, the critic, the augmentation and the judge's distances."""

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from farm.axes import Preprocessing
from farm.generators.aligned import Aligned
from farm.generators.distylegan.training import judge, update
from farm.generators.distylegan.training.augment import augment
from farm.generators.distylegan.training.discriminator import FEATURE_WEIGHTS, Discriminator


def maps(*numbers):
    return [torch.full((2, 3, 4, 4), float(number)) for number in numbers]


def test_the_hinge_loss_is_that_of_its_definition():
    real, made = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0])
    assert update.hinge_discriminator(real, made).item() == pytest.approx((0 + 0.5) / 2 + (0 + 1) / 2)


def test_features_count_by_their_block():
    found = update.feature_distance(maps(1, 1, 1, 1), maps(2, 3, 5, 9), paired=True)
    assert found.item() == pytest.approx(sum(w * d for w, d in zip(FEATURE_WEIGHTS, (1, 2, 4, 8), strict=True)))


def test_without_pairs_only_the_means_of_features_count():
    images = torch.randn(6, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    shuffled, zero = [images[[3, 1, 0, 5, 2, 4]]] * 4, [images] * 4
    assert update.feature_distance(zero, shuffled, paired=False).item() == pytest.approx(0, abs=1e-6)
    assert update.feature_distance(zero, shuffled, paired=True).item() > 0.1


def test_a_teachers_features_get_no_gradient():
    teacher, student = ([each.requires_grad_() for each in maps(1, 2, 3, value)] for value in (4, 5))
    update.feature_distance(teacher, student, paired=True).backward()
    assert all(each.grad is None for each in teacher)
    assert all(each.grad is not None for each in student)


def test_the_critic_scores_each_image_and_shows_four_features():
    torch.manual_seed(0)
    critic = Discriminator(8, 10)
    scores, features = critic(torch.randn(5, 3, 32, 32), torch.arange(5))
    assert scores.shape == (5,)
    assert [tuple(each.shape[1:]) for each in features] == [(8, 16, 16), (8, 8, 8), (8, 8, 8), (8, 8, 8)]


def test_the_critics_score_depends_on_the_class():
    torch.manual_seed(0)
    critic, images = Discriminator(8, 10).eval(), torch.randn(1, 3, 32, 32).expand(10, -1, -1, -1)
    assert len({round(score, 5) for score in critic(images, torch.arange(10))[0].tolist()}) == 10


def test_the_critics_layers_stretch_nothing():
    torch.manual_seed(0)
    critic = Discriminator(16, 4)
    for _ in range(30):  # the power iteration settles
        critic(torch.randn(2, 3, 32, 32), torch.zeros(2, dtype=torch.int64))
    weights = [module.weight for module in critic.modules() if hasattr(module, "parametrizations")]
    largest = [torch.linalg.matrix_norm(weight.flatten(1), 2).item() for weight in weights]
    assert len(largest) == 12
    assert max(largest) < 1.05


def random_images(count=64, seed=0):
    return torch.rand(
        count, 3, 32, 32, generator=torch.Generator().manual_seed(9)
    ) * 2 - 1, torch.Generator().manual_seed(seed)


def test_augmentation_follows_from_its_random_numbers():
    images, random = random_images()
    first = augment(images, random)
    assert torch.equal(augment(images, random.manual_seed(0)), first)
    assert not torch.equal(augment(images, random.manual_seed(1)), first)


def test_every_image_is_changed_in_its_own_way_and_a_quarter_at_most_is_cut_out():
    images, random = random_images(200)
    same = images[:1].expand(200, -1, -1, -1)
    found = augment(same, random)
    assert found.shape == same.shape
    assert len({image.numpy().tobytes() for image in found}) == 200
    empty = (found == 0).all(dim=1).float().mean(dim=(1, 2))
    assert empty.max() < 0.5  # a hole of a quarter, and what a shift by an eighth each way leaves behind
    assert empty.mean() > 0.1


def test_gradients_pass_through_augmentation():
    images, random = random_images(4)
    images = images.requires_grad_()
    augment(images, random).square().sum().backward()
    assert (images.grad.abs().sum(dim=(1, 2, 3)) > 0).all()


def test_the_frechet_distance_is_that_of_its_definition():
    random = np.random.default_rng(0)
    first, second = random.normal(size=(400, 6)), random.normal(size=(300, 6)) @ random.normal(size=(6, 6)) + 1
    means = first.mean(axis=0) - second.mean(axis=0)
    one, two = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    expected = means @ means + np.trace(one + two - 2 * scipy.linalg.sqrtm(one @ two).real)
    assert judge.frechet(first, second) == pytest.approx(expected, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 3))
def test_distances_of_features_to_themselves_are_nothing_and_grow_with_a_shift(seed, shift):
    features = np.random.default_rng(seed).normal(size=(200, 4))
    assert judge.frechet(features, features) == pytest.approx(0, abs=1e-6)
    assert judge.frechet(features, features + shift) == pytest.approx(4 * shift**2, abs=1e-6)


def test_the_kernel_distance_has_no_bias():
    random = np.random.default_rng(0)
    same = [judge.kernel(random.normal(size=(500, 4)), random.normal(size=(500, 4)), seed) for seed in range(8)]
    other = judge.kernel(random.normal(size=(500, 4)), random.normal(size=(500, 4)) + 1)
    assert abs(np.mean(same)) < 0.02  # a biased one has 0.05 here: the kernel's trace over n
    assert other > 1


def test_a_classifier_looks_at_every_image_and_its_features_are_those_before_its_last_layer():
    torch.manual_seed(0)
    classifier = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 3))
    images = Aligned(
        count=700, size=(2, 2), step=50, classes=3,
        compute=lambda base: np.random.default_rng(base).integers(0, 256, (50, 2, 2, 3), np.uint8),
    )  # fmt: skip
    seen = judge.look(classifier, images, Preprocessing(size=(2, 2)))
    assert seen.features.shape == (700, 5)
    assert (seen.features >= 0).all()
    assert seen.labels.tolist() == [i % 3 for i in range(700)]
    weight, bias = (value.detach().double().numpy() for value in classifier[3].parameters())
    assert np.array_equal((seen.features @ weight.T + bias).argmax(axis=1), seen.answers)


def test_agreement_is_the_share_of_answers_that_are_the_label():
    answers, labels = np.array([0, 1, 2, 2]), np.array([0, 1, 1, 1])
    seen = judge.Seen(features=np.random.default_rng(0).normal(size=(4, 2)), answers=answers, labels=labels)
    real = judge.Seen(features=seen.features, answers=labels, labels=labels)
    found = judge.compare(seen, real)
    assert (found["agreement"], found["agreement_real"]) == (0.5, 1.0)
    assert found["fid"] == pytest.approx(0, abs=1e-9)
