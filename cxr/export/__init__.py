"""A calibrated model as one file that other programs run: ONNX, or torch.export; checked against the model it was made of."""
