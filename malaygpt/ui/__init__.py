"""The page: the only part of malaygpt that imports Gradio. It turns components into text and text into components."""
