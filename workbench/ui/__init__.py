"""Streamlit pages. They only draw; ``workbench.engine`` computes."""
