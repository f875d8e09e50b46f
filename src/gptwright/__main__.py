"""`python -m gptwright` is `gptwright`."""

from gptwright.cli import main

if __name__ == "__main__":
    main()
