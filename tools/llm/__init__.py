"""Asking a model: structured answers and vectors from an OpenAI-compatible endpoint.

The only importer of `openai`.
"""
