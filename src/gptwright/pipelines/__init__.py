"""Models as objects that people use: loaded, talked to, exported."""
