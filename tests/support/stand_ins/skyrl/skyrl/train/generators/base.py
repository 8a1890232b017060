"""A name that our entry point imports."""


class GeneratorInterface:
    """Without its abstract method."""
