"""Read the weights of any checkpoint: its tensors, their layers, and the architecture that they fit."""
