"""The annotation formats that can be read: COCO, labelme, YOLO and Pascal VOC."""
