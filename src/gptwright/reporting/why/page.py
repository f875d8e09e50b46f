"""why.html: where an answer comes from, in one file."""

from gptwright.foundations.version import __version__
from gptwright.reporting.page import environment
from gptwright.reporting.why.evidence import Evidence


def why_page(evidence: Evidence) -> str:
    """The whole page. Every text is escaped: a model can write anything."""
    return environment().get_template("why.html.j2").render(
        evidence=evidence,
        version=__version__,
        pushes=[
            (title, [each for each in pushes if (each.share > 0) is up])
            for pushes, what in ((evidence.demonstrations, "Demonstrations"), (evidence.rankings, "Rankings"))
            for up, title in ((True, f"{what} that push for it"), (False, f"{what} that push against it"))
        ],
        passages=[
            ("The same words in a row", evidence.by_words),
            ("Passages that the model sees alike", evidence.by_state),
        ],
    )  # fmt: skip
