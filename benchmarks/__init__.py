"""Speed and memory, measured: `make bench`. Nothing here is asserted; figures go to README with their command."""
