"""Figures and films: the page's own JavaScript draws a clip's link as SVG; here it becomes PNG, PDF, GIF and MP4."""
