"""The fine-tuning worker."""
