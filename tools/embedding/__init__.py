"""Vectors of texts, by the embedder that a spec string names.

May import core and llm.

    spec          the spec string, and what an embedder is
    factory       from a spec to an embedder: `open_embedder`, `fit_embedder`
    lexical       words and parts of words, fitted on the dataset; no model
    word_vectors  static English word vectors that come inside a package
    onnx          transformer models in ONNX files
    masked        any of them, behind what a dataset masks
    remote        an OpenAI-compatible endpoint
    model2vec     static word vectors (an extra)
    torch_models  sentence-transformers and BGE-M3 (extras)
    model_files   where the files of a model are
    hub_fetch     a script that fetches them from the Hugging Face hub
"""
