"""What the newest predictions say together: evaluated window by window, held against what the model learnt from."""
