"""Annotations in foreign formats (COCO, labelme, YOLO, VOC) to a data set of images/, masks/ and dataset.yaml."""
