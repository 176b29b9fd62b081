"""What the study does with the methods beside fitting them."""
