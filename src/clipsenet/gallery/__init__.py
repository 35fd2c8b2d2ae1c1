"""The gallery: sightings with their embeddings, kept for years and searched."""
