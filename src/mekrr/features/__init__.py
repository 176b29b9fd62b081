"""Atom features of frozen backbones: computing and keeping them."""
