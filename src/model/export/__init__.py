"""Export to SavedModel, ONNX and LiteRT, and check that the exports agree with the model."""
