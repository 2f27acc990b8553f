"""Saying in words what clusters are: what is shown of them, what is asked, and what is answered.

From below: core, analysis, clustering (corpus and stability), embedding, llm, workspace, and the
package of prompts; neither ingestion nor runs.

What is shown:

- sampling: which texts show a cluster, and which are set aside to try its description on
- evidence: what a writer reads of a cluster, as data and as text
- gathering: from a run to the tasks of describing its clusters, redacted

What is asked, and what is wrong with an answer:

- prompting: the prompts, filled in
- answers: the form of an answer, and its faults
- titles: which titles are nearly equal, and how a keyphrase tells them apart
- proof: the score of a description on texts that its writer did not see
- judge: the embedder that compares descriptions with texts

Who writes:

- describe: one cluster by a model, or from its keywords
- disambiguation: new titles for clusters whose titles came out alike
- batch: many clusters by a model, saved as they come
- assistant: what the assistant is asked where no model is configured
- submissions: what an assistant or a person wrote, checked
- result: what `describe-cluster` answers
"""
