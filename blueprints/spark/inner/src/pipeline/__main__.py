"""Run the pipeline: `python -m pipeline OUTPUT_PORT`, with the ports in the environment."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

from pyspark.sql import SparkSession

from pipeline import session
from pipeline.ports import PortError, Ports, one_line
from pipeline.punctuality import AIRLINES, FLIGHTS, KEY, PUNCTUALITY, all_days, days_since


def build(spark: SparkSession, ports: Ports, output: str) -> None:
    """Read the input ports and write the output port; all is lazy up to the write."""
    flights = ports.read(spark, "flights", FLIGHTS)
    airlines = ports.read(spark, "airlines", AIRLINES)
    # Read only when asked for: a full run must work after the columns of the output have changed.
    previous = ports.read_previous(spark, output, PUNCTUALITY) if ports.since else None
    if ports.since and previous is not None:
        result = days_since(ports.since, previous, flights, airlines)
    else:
        result = all_days(flights, airlines)
    ports.write(spark, result, output, KEY)


def main(
    arguments: list[str],
    sessions: Callable[[], AbstractContextManager[SparkSession]] = session.opened,
) -> int:
    """Build the output port named in `arguments`. Returns the exit code; bad data is one line."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m pipeline OUTPUT_PORT", file=sys.stderr)
        return 2
    [output] = arguments
    try:
        ports = Ports.from_environment()
        with sessions() as spark:
            build(spark, ports, output)
    except (PortError, session.EngineError, OSError, *session.FAILURES) as error:
        print(f"error: cannot build {output}: {one_line(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
