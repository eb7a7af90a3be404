"""The real page in a real browser: `python -m pytest tests/browser`, `python -m tests.browser.screenshots`."""
