"""Files and documents: where they are stored, their names, and how large they may be."""
