"""why.html: where an answer comes from, in one file."""

from gptwright.foundations.version import __version__
from gptwright.reporting.page import environment
from gptwright.reporting.why.evidence import Evidence


def why_page(evidence: Evidence) -> str:
    """The whole page. Every text is escaped: a model can write anything."""
    return environment().get_template("why.html.j2").render(
        evidence=evidence,
        version=__version__,
        influences=[
            (title, [each for each in influences if (each.share > 0) is up])
            for influences, what, of in ((evidence.demonstrations, "Demonstrations", "it"),
                                         (evidence.pairs, "Rankings", "it"),
                                         (evidence.rankings, "Rankings", "its reward"))
            for up, title in ((True, f"{what} with influence for {of}"), (False, f"{what} with influence against {of}"))
        ],
        passages=[
            ("The same words in a row", evidence.by_words),
            ("Passages that the model sees alike", evidence.by_state),
        ],
    )  # fmt: skip
