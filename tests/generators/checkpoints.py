"""Small checkpoints that tests make, of generators whose images have contrast."""

import json
from pathlib import Path

import numpy as np
import torch

CONFIG = {"ngf": 8, "ndf": 8, "z_dim": 6, "c_dim": 3, "project_dim": 4, "nc": 3}


def distylegan(folder: Path, seed: int = 0) -> Path:
    """A DiStyleGAN of three classes, in the study's layout."""
    from farm.generators.distylegan.network import Config, Generator

    random = np.random.default_rng(seed)
    state = Generator(Config(**{name: value for name, value in CONFIG.items() if name != "ndf"})).state_dict()
    for name, value in state.items():
        if value.is_floating_point():
            spread = random.uniform(0.5, 1.5, value.shape)
            value.copy_(torch.from_numpy(spread if "running_var" in name else random.normal(size=value.shape)))
    folder.mkdir(parents=True)
    torch.save(state, folder / "generator.pt")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder
