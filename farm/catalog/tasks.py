"""Tasks by name: what a model is for, and the metrics by which it is judged. Imports nothing heavy."""

from pydantic import Field

from farm.spec import Parameters, TaskSpec

CLASSIFICATION, DETECTION = "classification", "detection"
DECODES = (
    "yolox",
    "yolov5",
    "yolov8",
    "yolov10",
    "detr",
    "rt-detr",
    "boxes",
    "ssd",
)  # as in farm.tasks.detection.heads


class Detection(Parameters):
    """What counts as a detection, of all models alike."""

    score_threshold: float = Field(0.01, ge=0, lt=1, description="detections of lower scores are left out")
    iou_threshold: float = Field(
        0.65, gt=0, le=1, description="of two boxes of a class that overlap more, the better one is kept"
    )
    max_detections: int = Field(100, ge=1, le=1000, description="of an image, those of the greatest scores")


TASKS = {
    CLASSIFICATION: TaskSpec(
        parameters=Parameters, metrics=("top1", "top5"), doc="one image in, a score a class out",
        function="farm.tasks.classification:task",
    ),
    DETECTION: TaskSpec(
        parameters=Detection, metrics=("map", "ap50", "ap75"),
        libraries=("numpy", "pycocotools", "scipy", "torchvision"),
        doc="boxes with classes, judged by average precision as COCO's are", function="farm.tasks.detection.task:task",
    ),
}  # fmt: skip
