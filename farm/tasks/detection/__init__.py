"""Detection: boxes with classes in an image, judged as COCO's are."""
