"""Measures of a saved run, made on request and kept with it: ``files`` reads and writes them, ``making`` makes them."""
