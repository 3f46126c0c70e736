"""The zoo in the browser: `zoo app`, which runs `python -m streamlit run apps/main.py` on 127.0.0.1 from the checkout."""

import streamlit as st

st.set_page_config(page_title="Vision zoo", page_icon=":material/visibility:", layout="wide")
st.navigation([st.Page("explain_classifier.py", title="Explain a classifier", icon=":material/center_focus_strong:", default=True)]).run()
