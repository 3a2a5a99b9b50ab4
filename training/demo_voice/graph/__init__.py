"""ONNX graphs, run by PyTorch on any device."""
