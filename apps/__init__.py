"""Streamlit pages, thin over zoo/."""
