"""Pictures of what was found, drawn with matplotlib."""
