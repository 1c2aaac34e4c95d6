"""scikit-learn estimators on pixels, descriptors or a network's features."""
