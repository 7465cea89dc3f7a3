"""What the command line says in a sentence instead of a traceback."""


class Fault(RuntimeError):
    """A fault that whoever runs PredTrack can mend; the message says what is wrong and what to do."""
