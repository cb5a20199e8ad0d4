"""The claims of the study, judged."""

from aio.compare.claims.evaluator import evaluate
from aio.compare.claims.table import CLAIMS
from aio.compare.claims.verdict import Finding, Holds, Verdict
from aio.compare.document import Document

__all__ = ["Finding", "Holds", "Verdict", "judge"]


def judge(document: Document) -> list[Verdict]:
    """Every claim on every volume."""
    others = [volume for volume in document.volumes if volume.file_system == "ext4"]
    # Hits do not depend on the disk, but one that was not made slow is what a user has.
    ext4 = min(others, key=lambda volume: volume.reads_per_second is not None, default=None)
    return [
        Verdict(
            claim.number,
            claim.text,
            {
                volume.name: evaluate(claim, volume, ext4)
                for volume in document.volumes
                if volume.file_system in (claim.file_systems or {volume.file_system})
            },
        )
        for claim in CLAIMS
    ]
