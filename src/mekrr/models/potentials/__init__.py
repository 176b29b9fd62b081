"""Models as potentials: energy, forces and stress of a frame, whatever the model is."""
