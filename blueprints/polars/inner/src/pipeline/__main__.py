"""Run the pipeline: `python -m pipeline OUTPUT_PORT`, with the ports in the environment."""

import sys

import polars as pl

from pipeline.ports import PortError, Ports, first_line
from pipeline.punctuality import Airlines, Flights, Punctuality, all_days, days_since


def build(ports: Ports, output: str) -> None:
    """Read the input ports and write the output port; all is lazy up to the write."""
    flights = ports.read("flights", Flights)
    airlines = ports.read("airlines", Airlines)
    # Read only when asked for: a full run must work after the columns of the output have changed.
    previous = ports.read_previous(output, Punctuality) if ports.since else None
    if ports.since and previous is not None:
        result = days_since(ports.since, previous, flights, airlines)
    else:
        result = all_days(flights, airlines)
    ports.write(result, output)


def main(arguments: list[str]) -> int:
    """Build the output port named in `arguments`. Returns the exit code; bad data is one line."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m pipeline OUTPUT_PORT", file=sys.stderr)
        return 2
    [output] = arguments
    try:
        build(Ports.from_environment(), output)
    except (PortError, pl.exceptions.PolarsError, OSError) as error:
        print(f"error: cannot build {output}: {first_line(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
