"""The web page: tabs of panels, as HTML, JSON and CSV."""
