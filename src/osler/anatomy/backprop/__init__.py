"""Backpropagation worked by hand: every step of it for one network and one sample, in formulas and in numbers."""
