"""From manifest and image store to batches: split, dataset, augmentation."""
