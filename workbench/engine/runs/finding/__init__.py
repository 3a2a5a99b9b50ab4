"""Find runs in the list by words and by comparisons of settings, times and measures."""
