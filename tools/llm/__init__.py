"""Asking a model at an OpenAI-compatible endpoint, for answers by a schema and for vectors.

The only importer of `openai`. May import core.

    endpoint     where a model is, and what to say where it cannot be reached
    client       the connection, and its errors as ours
    completion   an answer as a pydantic model, repaired once
    embeddings   vectors of texts
    rate_limit   one pause for all threads where the endpoint asks for it
    budget       what was used, kept within limits
    asker        answers within a budget, each asked once and then read from files
    concurrency  many pieces of such work at once
"""
