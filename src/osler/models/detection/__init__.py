"""Detectors: a backbone, a neck and heads, put together from parts that the famous ones share."""
