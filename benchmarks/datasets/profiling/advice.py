"""What of a profile deserves a warning."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.datasets.profiling.profile import Profile

MANY_TIES = 0.2
"""Share of chosen events in ties, above which the order within a history is chance."""


def warnings_of(profile: Profile) -> list[str]:
    """One line for each thing that may be wrong, with what it means."""
    return [*_of_events(profile), *_of_features(profile), *_of_labels(profile), *profile.leaks]


def _of_events(profile: Profile) -> Iterator[str]:
    if profile.bad:
        more = f" ({'; '.join(profile.samples)})" if profile.samples else ""
        yield f"{profile.bad:,} of {profile.rows:,} rows read are bad and left out{more}"
    if profile.same_time:
        yield "all events have the same time: nothing can be split by it; `clock: none` says so"
    elif profile.choice_ties > MANY_TIES:
        yield (
            f"{profile.choice_ties:.0%} of {profile.choice} events share user and time with another: "
            "a hash decides their order"
        )
    if profile.duplicates:
        yield f"{profile.duplicates:,} events repeat the user, item and time of another"
    for column, share in profile.early.items():
        if share:
            yield f"{share:.1%} of events are before items.{column}: the item did not exist yet"


def _of_features(profile: Profile) -> Iterator[str]:
    for feature in profile.coverage:
        name = f"{feature.side}.{feature.name}"
        if not feature.distinct:
            yield f"{name} has no value at all"
        elif feature.distinct == 1 and feature.rows == 1:
            yield f"{name} is always {feature.examples[0]!r}: a feature that tells nothing"


def _of_labels(profile: Profile) -> Iterator[str]:
    if profile.passed_over is None:
        yield "no exposures: what was shown and passed over is not known, so negatives have to be sampled"
    elif profile.passed_over == 0:
        yield "every exposure is a positive as well: what was shown and passed over seems to be missing"
    for label in profile.labels:
        given = f" given {label.given}" if label.given else ""
        if not label.events:
            yield f"behaviour {label.name} is defined at no event{given}"
        elif label.constant:
            yield f"behaviour {label.name} is constant{given}: {label.rate:g} at all {label.events:,} events"
        if label.outside:
            yield f"{label.outside:,} events are {label.name} but not {label.given}, which it is given"
