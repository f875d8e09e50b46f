"""Archives of packages, as registries have them."""

import io
import tarfile


def tar(files: dict[str, str | bytes], mode: str = "w:gz", extra: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    """A tar archive of these files, and members that have no content."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # pyright: ignore
        for name, text in files.items():
            data = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in extra:
            archive.addfile(member)
    return out.getvalue()


def deb(files: dict[str, str | bytes]) -> bytes:
    """A Debian package of these files."""
    members = {"debian-binary": b"2.0\n", "control.tar.xz": tar({}, "w:xz"), "data.tar.xz": tar(files, "w:xz")}
    heads = {name: f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n" for name, data in members.items()}
    return b"!<arch>\n" + b"".join(heads[n].encode() + data + b"\n" * (len(data) % 2) for n, data in members.items())
