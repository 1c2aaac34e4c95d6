"""Parts of networks that PyTorch lacks."""
