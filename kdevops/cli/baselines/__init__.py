"""`kdevops baseline`: known test results, kept as text in git."""
