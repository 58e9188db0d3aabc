"""`python -m ocw_sidecar.cli`."""

from ocw_sidecar.cli.main import main

main()
