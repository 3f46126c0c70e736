"""The zoo in the browser: `zoo app`, which runs `python -m streamlit run apps/main.py` on 127.0.0.1 from the checkout."""

from pathlib import Path

import streamlit as st

ICON = Path(__file__).parent / "icon.png"  # a file of ours: Streamlit would fetch a named icon from the internet

st.set_page_config(page_title="Vision zoo", page_icon=str(ICON), layout="wide")
PAGES = [
    st.Page("explain_classifier.py", title="Why this answer?", icon=":material/center_focus_strong:", default=True),
    st.Page("looks_for.py", title="What does it look for?", icon=":material/search_insights:"),
    st.Page("in_picture.py", title="What is in this picture?", icon=":material/frame_inspect:"),
    st.Page("watch_video.py", title="Watch a video", icon=":material/movie:"),
    st.Page("similar.py", title="What is similar?", icon=":material/hub:"),
    st.Page("architecture.py", title="How was it built?", icon=":material/schema:"),
]
st.navigation(PAGES).run()
