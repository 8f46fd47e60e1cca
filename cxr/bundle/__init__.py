"""A calibrated model as a MONAI bundle, which MONAI's own runner executes and MONAI Deploy and MONAI Label take."""
