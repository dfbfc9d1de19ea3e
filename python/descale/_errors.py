"""The exceptions. All are :class:`DescaleError`; the second base says what kind of mistake it is."""


class DescaleError(Exception):
    """Something went wrong; the message names the place and the cure."""


class UsageError(DescaleError, ValueError):
    """An option, or a combination of options, makes no sense."""


class InputError(DescaleError, ValueError):
    """A record or a file of the input is broken."""


class ResourceError(DescaleError, OSError):
    """The machine said no: disk, permission, memory, a file that changed while it was read."""


class InternalError(DescaleError, RuntimeError):
    """A bug in descale. The interpreter is unharmed; please report it."""
