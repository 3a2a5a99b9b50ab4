"""Blind listening tests of saved runs: ABX, preference, and scores from 1 to 5.

listening/NAME/test.json                 systems, items, levels, seed
listening/NAME/sounds/ITEM-SYSTEM.wav    the sounds at matched levels
listening/NAME/answers/KEY-TRIAL.json    one answer of the listener with this key
"""
