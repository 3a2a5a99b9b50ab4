"""Where voices come from: bundled, saved, or recorded; their words, and what is odd about them."""
