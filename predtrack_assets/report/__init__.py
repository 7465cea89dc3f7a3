"""What is stored and how good it is, for people at a terminal."""
