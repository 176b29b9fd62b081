"""Speed of single parts on this machine, each against a plain alternative in the same run."""
