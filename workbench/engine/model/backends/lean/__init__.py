"""The lean backend; see ``field``."""
