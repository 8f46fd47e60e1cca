"""From a hospital's files to canonical images and a manifest."""
