"""The map of a run as a picture and as a page, from places, groups and texts in memory.

May import `core` from below; knows no store and no run.

- `view`: what is drawn: points, groups, texts, and the canvas that fits them
- `colours`: the colours of groups, noise, ink and paper
- `labels`: texts cut to a width, and places for them on the map
- `interactive`: the page for people, by plotly
- `static`: the picture for the chat, by matplotlib
"""
