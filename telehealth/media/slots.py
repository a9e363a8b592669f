"""Who of a room gets which of a viewer's slots. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def assign(
    held: Sequence[int | None],
    wanted: Iterable[int],
    *,
    limit: int | None = None,
    seats: Mapping[int, int] | None = None,
) -> list[int | None]:
    """Who holds each slot from now on. held: who does now; None where nobody.

    The first of wanted get one, at most limit of them. Who keeps one stays where they are, so that no tile jumps; who
    comes gets the slot of their number in seats where that is free (so that voice and picture go together), else the
    first free one.
    """
    seats = seats or {}
    most = len(held) if limit is None else max(0, min(limit, len(held)))
    chosen = list(dict.fromkeys(wanted))[:most]
    found: list[int | None] = [who if who in chosen else None for who in held]
    for who in chosen:
        if who in found:
            continue
        seat = seats.get(who)
        if seat is None or not 0 <= seat < len(found) or found[seat] is not None:
            seat = found.index(None)
        found[seat] = who
    return found


def order(people: Iterable[int], *, preferred: Sequence[int], spoke: Sequence[int]) -> list[int]:
    """Whose pictures come first: those that the viewer wants, who spoke last, then whoever has been there longest."""
    there = list(people)
    known = set(there)
    return list(dict.fromkeys([who for who in (*preferred, *spoke) if who in known] + there))


def pictures_each(viewers: Sequence[tuple[int, int]], capacity: int, *, least: int) -> int | None:
    """How many pictures each viewer may have at most so that all streams fit; None: not even the least fit.

    viewers: of each the voices and the pictures that they would have.
    """
    most = max((pictures for _, pictures in viewers), default=0)
    for each in range(max(most, least), least - 1, -1):
        if sum(voices + min(pictures, each) for voices, pictures in viewers) <= capacity:
            return each
    return None
