"""What TRUST.md promises, shown: `test_*.py` run with all tests, `campaign_*.py` by `make trust`, the table here."""
