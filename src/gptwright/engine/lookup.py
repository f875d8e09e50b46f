class Lookup:
    def __init__(self, most: int) -> None:
        self.most = most

    def propose(self, ids: list[int]) -> list[int]:
        for n in (3, 2, 1):
            for i in range(len(ids) - n - 1, -1, -1):
                if ids[i : i + n] == ids[-n:]:
                    return ids[i + n : i + n + self.most]
        return []

    def told(self, proposed: int, accepted: int) -> None: ...
