"""The MCP server: registration, settings, jobs, command line."""
