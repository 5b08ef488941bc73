"""Other people's model servers, each in an environment of its own, with the same model."""
