"""Scripts on the page: several voices in one text, files with times, and tables of texts."""
