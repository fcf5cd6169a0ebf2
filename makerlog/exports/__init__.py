"""All that is a maker's own, as ZIP files: asked for, packed by jobs, fetched by links that expire."""
