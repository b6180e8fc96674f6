"""The admin function: asks reviewers about doubtful samples and takes their labels."""
