"""torchvision's classifiers, fitted to checkpoints that are saved here."""

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from farm.errors import DataError
from farm.models import torchvision, zoo

CLASSES = 7
QUICK = {"googlenet": {"init_weights": False}, "inception_v3": {"init_weights": False}}
OLD_DENSENET = {f"denselayer1.{part}{i}.": f"denselayer1.{part}.{i}." for part in ("norm", "conv") for i in (1, 2)}
OLD_VIT = {"mlp.0.": "mlp.linear_1.", "mlp.3.": "mlp.linear_2."}


def built(name, classes=CLASSES, **options):
    torch.manual_seed(0)
    return models.get_model(name, weights=None, num_classes=classes, **QUICK.get(name, {}), **options).eval()


def saved(path, tensors):
    if path.suffix == ".safetensors":
        save_file({key: value.contiguous() for key, value in tensors.items()}, path)
    else:
        torch.save(tensors, path)
    return path


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("resnet18", "a.pt"),
        ("resnet18", "a.safetensors"),
        ("squeezenet1_0", "a.pt"),
        ("squeezenet1_0", "a.safetensors"),
        ("mnasnet0_5", "a.pt"),
        ("mnasnet0_5", "a.safetensors"),
        ("regnet_y_400mf", "a.safetensors"),
        ("densenet121", "a.safetensors"),
        ("efficientnet_b0", "a.pt"),
    ],
)
def test_a_checkpoint_of_seven_classes_is_loaded_whole(tmp_path, name, file):
    network = built(name)
    found = torchvision.load(name, saved(tmp_path / file, network.state_dict()))
    assert not found.training
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(found(images), network(images))


def test_a_thousand_classes_are_torchvision_s_own_network(tmp_path):
    network = built("squeezenet1_1", classes=1000)
    found = torchvision.load("squeezenet1_1", saved(tmp_path / "a.pt", network.state_dict()))
    assert found(torch.randn(1, 3, 64, 64)).shape == (1, 1000)


def test_googlenet_gives_logits_alone_and_normalises_inside_as_its_released_weights_want(tmp_path):
    network = built("googlenet")
    found = torchvision.load("googlenet", saved(tmp_path / "a.pt", network.state_dict()))
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        logits = found(images)
        plain = network(images)
        network.transform_input = True
        assert torch.equal(logits, network(images))
    assert logits.shape == (2, CLASSES)
    assert not torch.allclose(logits, plain)


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_a_checkpoint_older_than_counters_of_batches_fits(tmp_path, name):
    """PyTorch 0.4.1 brought them; torchvision's first checkpoints are older."""
    network = built(name)
    tensors = {key: value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    found = torchvision.load(name, saved(tmp_path / "a.pt", tensors))
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(found(images), network(images))


def renamed(tensors, names):
    def old(key):
        for new, before in names.items():
            key = key.replace(new, before)
        return key

    return {old(key): value for key, value in tensors.items()}


def test_a_densenet_of_old_names_fits(tmp_path):
    """torchvision's loading renames those of its released ones."""
    network = built("densenet121")
    tensors = renamed(network.state_dict(), OLD_DENSENET)
    assert set(tensors) != set(network.state_dict())
    found = torchvision.load("densenet121", saved(tmp_path / "a.safetensors", tensors))
    fitted = found.state_dict()
    assert all(torch.equal(fitted[key], value) for key, value in network.state_dict().items())


@pytest.mark.slow
def test_a_vision_transformer_of_old_names_and_other_images_fits(tmp_path):
    """torchvision renames those of its first ones; weights such as IMAGENET1K_SWAG_E2E_V1 take 384x384 images."""
    network = models.VisionTransformer(
        image_size=96, patch_size=16, num_layers=12, num_heads=12, hidden_dim=768, mlp_dim=3072, num_classes=CLASSES
    ).eval()
    tensors = renamed(network.state_dict(), OLD_VIT)
    assert set(tensors) != set(network.state_dict())
    found = torchvision.load("vit_b_16", saved(tmp_path / "a.safetensors", tensors))
    assert found.image_size == 96
    images = torch.randn(1, 3, 96, 96)
    with torch.inference_mode():
        assert torch.equal(found(images), network(images))


def test_another_network_s_weights_are_refused(tmp_path):
    path = saved(tmp_path / "a.pt", built("squeezenet1_1").state_dict())
    with pytest.raises(DataError, match=r"a.pt: no tensor 'fc.bias', so not of torchvision's resnet18: give its own"):
        torchvision.load("resnet18", path)
    with pytest.raises(DataError, match=r"a.pt: weights of another network than SqueezeNet: .*of another shape"):
        torchvision.load("squeezenet1_0", path)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"<html>404")
    with pytest.raises(DataError, match=r"a.pt: not a checkpoint, or truncated"):
        torchvision.load("resnet18", tmp_path / "a.pt")


def smallest():
    """The classifier of fewest parameters of each of torchvision's modules, whose others have the same layers."""
    sizes = {name: models.get_model_weights(name).DEFAULT.meta["num_params"] for name in models.list_models(models)}
    names = {models.get_model_builder(name).__module__: name for name in sorted(sizes, key=sizes.get, reverse=True)}
    return sorted(names.values())


@pytest.mark.parametrize("name", [name for name in smallest() if "regnet" not in name])
def test_the_last_tensor_of_every_classifier_has_a_row_a_class(name):
    """This is how the number of classes is told. Without memory; RegNet computes its widths, and is loaded above."""
    with torch.device("meta"):
        tensors = built(name).state_dict()
    assert len(list(tensors.values())[-1]) == CLASSES


def test_weights_are_fitted_whatever_their_precision(tmp_path):
    network = built("squeezenet1_1")
    halves = {key: value.half() for key, value in network.state_dict().items()}
    found = torchvision.load("squeezenet1_1", saved(tmp_path / "a.safetensors", halves))
    assert {value.dtype for value in found.state_dict().values()} == {torch.float32}
    assert zoo.read_weights(tmp_path / "a.safetensors").keys() == halves.keys()
