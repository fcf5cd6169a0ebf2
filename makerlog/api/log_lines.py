"""LOG_FORMAT=LINE: one line a record, which nothing that a client sends can break."""

import logging

# What a terminal or a reader of lines takes for more than a character: C0, DEL, C1, and Unicode's own line ends.
CONTROLS = {number: repr(chr(number))[1:-1] for number in (*range(32), *range(127, 160), 0x2028, 0x2029)}


class LineFormatter(logging.Formatter):
    """Escapes control characters of a message. The lines of a traceback follow it, indented: none looks like a record."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record).translate(CONTROLS)

    def formatException(self, ei: object) -> str:
        return indent_lines(super().formatException(ei))  # type: ignore[arg-type]  # as logging has it

    def formatStack(self, stack_info: str) -> str:
        return indent_lines(super().formatStack(stack_info))


def indent_lines(text: str) -> str:
    return "\n".join("    " + line.translate(CONTROLS) for line in text.split("\n"))
