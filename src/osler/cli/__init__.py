"""The command line: read the words, call one verb, show the answer."""
