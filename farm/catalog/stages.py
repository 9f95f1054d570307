"""Stage kinds by name: version, limits, and the function that does the work."""

from farm.spec import StageSpec

STAGES = {
    "synthesize": StageSpec(
        function="farm.stages.synthesize:run", version=2, typical_s=2,
        doc="calibration images as a shard of uint8 images; on a GPU where there is one and the source computes",
    ),
    "export": StageSpec(
        function="farm.stages.export:run", version=3, libraries=("openvino",), typical_s=4,
        doc="a model as FP32 OpenVINO IR, its batch dynamic where it allows that",
    ),
    "quantize": StageSpec(
        function="farm.stages.quantize:run", version=2, libraries=("openvino", "nncf"), timeout_s=7200, typical_s=10,
        doc="FP32 IR and calibration set to int8 IR",
    ),
    "evaluate": StageSpec(
        function="farm.stages.evaluate:run", version=2, timeout_s=3600, typical_s=20,
        doc="prediction, score and top-2 gap of each test image",
    ),
    "measure": StageSpec(
        function="farm.stages.measure:run", version=7, exclusive=True,
        doc="latencies of a model and its FP32 IR by turns, with the node to itself",
    ),
}  # fmt: skip

ALONE = {  # of `farm train` and `farm synth`, in no grid
    "train": StageSpec(
        function="farm.stages.train:run", version=1, libraries=("torch", "numpy"), timeout_s=30 * 86400, memory_gib=8,
        typical_s=36000, doc="a generator from a teacher's images",
    ),
    "files": StageSpec(
        function="farm.stages.files:run", version=1, doc="a calibration set as files of the user's own",
        timeout_s=30 * 86400, memory_gib=4096,  # no limit: it is this host's, and the user's
    ),
}  # fmt: skip
