"""The web app: `main.py` wires it, `routes/` answer, `library.py` and `jobs/` keep and do the work."""
