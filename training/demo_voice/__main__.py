"""``python -m training.demo_voice``: the recipe of the bundled voice."""

from training.demo_voice.cli import app

if __name__ == "__main__":
    app()
