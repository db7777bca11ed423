"""The one error that is the user's to mend: shown as one line, without a traceback."""


class UserError(Exception):
    """Say what is wrong, where, what was received and what to do."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback: in notebooks too, one line."""
        return [f"Error: {self}"]
