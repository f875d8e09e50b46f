"""Parts that families are wired from. A part takes numbers and other parts, never a family's configuration."""
