"""``python -m training.demo_voice``: the recipe of the bundled voice."""

from training.demo_voice.cli import main

if __name__ == "__main__":
    main()
