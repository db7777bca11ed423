"""The one error that is the user's to mend: shown as one line, without a traceback."""


class UserError(Exception):
    """Say what is wrong, where, what was received and what to do."""
