"""Whether a kernel made a test worse, decided from how often the test went bad, with error rates that hold."""
