"""The history of the schema; run at the service's start, never by hand."""
