"""What ``clipsenet bench`` measures: ratios to a stated reference of the same run."""
