"""What a completion of a model is worth: where its proof is, and what a verdict means as a reward."""
