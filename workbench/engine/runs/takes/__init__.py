"""Takes of the chunks of a saved run: made again, heard beside each other, chosen, and chosen back.

``choosing`` is what others use. run.json and the arrays of the first takes never change; ``takes.json`` says which
other takes there are and which are chosen, and every reader of a run goes through ``state``, which applies it.
"""
