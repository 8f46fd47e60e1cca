"""The error a user can act on: one line that names the place, the problem and the way out."""


class CxrError(Exception):
    """Something in the user's input, configuration or environment is off; the text is shown as it is, without a traceback."""


class ConfigError(CxrError):
    """A pipeline definition, a label set or a command line cannot be understood."""


class DataError(CxrError):
    """A table, an image or a stage output breaks its contract."""
