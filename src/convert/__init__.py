"""Converts annotations of other formats (COCO, labelme, YOLO, VOC) to a data set: images/, masks/ and dataset.yaml."""
