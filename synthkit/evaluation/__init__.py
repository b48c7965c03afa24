"""Measures of synthetic data beside real data: texts and tables."""
