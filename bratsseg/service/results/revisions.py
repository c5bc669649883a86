"""The revision of a result: what a reader saw, so that nobody accepts outlines that changed meanwhile."""

from __future__ import annotations

from typing import Any

from bratsseg import wording
from bratsseg.service.records import Result, Review
from bratsseg.service.refusal import Refusal
from bratsseg.study.regions import Region

_ASK = "look at the result as it is now, and then decide"


def revision_of(result: Result) -> str:
    """What names the state of a result: the id of its latest review, or its own while nobody has reviewed it."""
    return result.reviews[-1].id if result.reviews else result.id


def require_latest(result: Result, seen: str | None) -> None:
    """Refuse a decision about anything but the latest state.

    Raises a ``Refusal``: 428 ``revision_missing`` when the reader does not say what was seen, 409 ``result_changed``
    with the ``revision`` of now and what came since.
    """
    if not seen:
        text = f"a decision must say which state of the result was seen, and says none; {_ASK}"
        raise Refusal(428, "revision_missing", text)
    if seen == revision_of(result):
        return
    text = f"Not stored: {_since(result, seen)}. {_ASK.capitalize()}"
    raise Refusal(409, "result_changed", text, revision=revision_of(result))


def _since(result: Result, seen: str) -> str:
    """What came after the state that was seen, in words; that it is none of this result's where it is none."""
    states = [result.id, *(review.id for review in result.reviews)]
    if seen not in states:
        return "the revision that was sent names no state of this result"
    missed = result.reviews[states.index(seen) :]
    return f"since you opened this result, {'; then '.join(_told(result, review) for review in missed)}"


def _told(result: Result, review: Review) -> str:
    """One review in the words of a radiologist: who, when, and what it made of the outlines."""
    done = {"accept": "accepted it", "reject": "rejected it", "correct": "saved a correction"}[review.decision]
    when = f"{review.created_at:%Y-%m-%d at %H:%M} UTC"
    told = f"{review.user_name} {done} on {when}"
    if review.decision != "correct":
        return told
    earlier = [one for one in result.reviews[: result.reviews.index(review)] if one.decision == "correct"]
    before = earlier[-1].measures if earlier else result.measures
    return f"{told} (whole tumour {_whole(before)} before, {_whole(review.measures)} now)"


def _whole(measures: dict[str, Any]) -> str:
    return wording.ml(measures["regions"][str(Region.WT)]["volume_ml"])
