"""The feedback function: takes corrections, stores each once, and gives receipts."""
