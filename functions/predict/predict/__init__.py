"""The predict function: scores texts, explains scores, tells about the model and its own health."""
