"""The probability that an answer is right, and when to say no."""
