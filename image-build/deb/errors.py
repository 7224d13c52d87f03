"""What the build says when it cannot go on."""


class DebError(Exception):
    """The words are for whoever called the build."""
