"""Molecular dynamics that ends where it leaves the physics, and goes on where it was killed."""
