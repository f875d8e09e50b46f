"""What people may be. Each role may do what those before may."""

from typing import Literal, get_args

Role = Literal["chatter", "labeller", "owner"]
ROLES: tuple[Role, ...] = get_args(Role)
