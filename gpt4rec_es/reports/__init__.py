"""Pages for people, made from the views of schema analytics alone.

A page is one HTML file without network, readable without scripts. Equal data make equal bytes, so
a page has no time of its own. docs/reports.md describes the pages.
"""
