"""Agent Skills: ways of working with the tools, a folder each with a `SKILL.md`.

They serve people who copy a folder to where their assistant looks for skills, and hosts that ask
the server for them (`server/skills.py`); nothing else uses them.
"""
