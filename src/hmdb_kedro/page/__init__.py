"""The page that `make demo` opens: drop a clip, see what each stream makes of it.

Gradio serves it on this machine alone. `looking` answers a video and shows it beside its flow,
`gallery` is what a run has stored of its test clips, `drawing` turns both into HTML, and `app` puts
them together.
"""
