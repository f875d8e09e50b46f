"""A program for the sandbox: it computes, and looks around."""

import os

print(sum(number for number in range(1000) if number % 3 == 0 or number % 5 == 0))
print("of the machine it sees", [name for name in ("etc", "home", "proc", "root") if os.path.exists(f"/{name}")])
print("beside it lies", os.listdir("."))
