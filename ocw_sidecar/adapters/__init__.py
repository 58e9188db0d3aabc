"""What the pipeline's ports stand on."""
