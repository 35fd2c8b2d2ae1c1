"""The report: one folder with the page by which a run is judged, and report.json with every number on it."""
