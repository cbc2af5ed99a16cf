"""Annotations in foreign formats (COCO, labelme, YOLO) to a data set of images/, masks/ and dataset.yaml."""
