"""corpuscope: an MCP server that finds, explains and shows the themes in a pile of texts."""

__version__ = "0.1.0"
