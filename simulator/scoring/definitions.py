"""What every word of a score means. docs/simulator/scoring.md says the same, with an example worked by hand."""

from __future__ import annotations

from typing import Final

_TEXTS: Final = {
    "times": """Milliseconds; what is finer is cut off. All limits of time are included unless said otherwise.""",
    "records that come again": """Of the truth the later line counts (course and fault: the same id; resident: the same
        resident and from; overdue: the same resident, code and due_at; run: any). An alert that stands twice in the
        list, alike in everything, is counted once; with the same id and other content the list is refused.""",
    "watched": """From `from` (included) to `to` (not included) of a resident record, to null: the end of the run, else
        exported_at of the list; cut to the list's own from and to where it has them.""",
    "resident-days": """The time watched, of everybody, in days of 24 hours, whatever happened in it.""",
    "fits": """An alert fits a notice if it is of the same resident, of one of the notice's categories (clinical, unless
        it names others), and about at least one of its codes (codes null: about anything; an alert without codes fits
        null only).""",
    "reached": """When an alert first had at least a priority: by its priorities; without these, raised_at if its
        priority is high enough.""",
    "met": """A notice is met by a fitting alert that reached the asked priority from the onset to by, both included.
        One that had reached it before the onset does not meet it, even if it still stands.""",
    "judged": """A notice is judged if its resident was watched at by (or until by), or has no resident record at all. A
        course is judged if it has a notice and all of them are judged. Others are counted apart,
        whatever was raised.""",
    "noticed": """A course all of whose notices are met. Noticed in part: some, but not all.""",
    "standing": """Courses that were not noticed, where for each notice that was not met a fitting alert had reached
        the priority before the onset and had not cleared by the onset.""",
    "sensitivity": """Courses noticed, of those judged.""",
    "first alert": """Of a course: the earliest time at which one of its notices was met. Later alerts of the course
        change nothing. An alert may notice several courses.""",
    "after onset, before peak": """Hours from the onset to the first alert, and from the first alert to the peak
        (negative: after it), of judged courses with a first alert; before peak only where the course has one.""",
    "before by": """Hours from when a notice was met to its by, of every met notice of the judged courses.""",
    "right, excused, false": """Each alert raised while its resident was watched is the first of these that holds.
        1. Right: it meets a notice of any course.
        2. Technical: right if raised in a fault of its resident or its device (from from to the later of to and
        technical_by; null: for ever), else false.
        3. Silence: right if it is about an overdue measurement (no codes, or that code), raised from alarm_from to the
        later of alarm_by and measured_at (null: the end of watching).
        4. False (quiet): raised in a quiet window of a course of its resident, about one of its codes (null: anything).
        5. Right: raised from onset to end of a course of its resident (end null: for ever).
        6. Excused: raised in a fault of its resident or its device (from from to to), if it is a silence alert, or the
        fault says must_not_alarm false.
        7. False.""",
    "unwatched": """Alerts of residents without a resident record, or raised while they were not watched; of devices
        alone, where no fault names the device. In no figure but their own count.""",
    "devices that are nobody's": """Alerts without a resident are in no rate per resident-day.""",
    "human": """Alerts with human true: somebody had to look. High: whose highest priority was high.""",
    "alerts per resident-day": """Alerts raised while their resident was watched, right, excused or false, by the
        resident-days.""",
    "false alerts per resident-day": """Those that are false or false (quiet), by the resident-days.""",
    "overdue": """Of each overdue measurement, the first that holds. Open: its resident was not watched until alarm_by,
        or it was measured by alarm_by; it is left out, whatever was raised. Standing: a silence alert about the code
        (or without codes) was raised before alarm_from and had not cleared before it. On time: one was raised from
        alarm_from to alarm_by. Late: after alarm_by, until it was measured, else until watching ended. Missed: none.
        In time: standing and on time, of all but the open ones.""",
    "technical": """A fault with technical_by is told if a technical alert of its device or its resident was raised from
        from to technical_by. Left out where the resident was not watched until then.""",
    "pathway": """That of the resident record at the time: of an alert when it was raised, of a course at its onset (or
        when watching began), of an overdue measurement at alarm_from; at other times the first one.""",
    "scenario": """Courses by their own scenario. Days, alerts, overdue measurements and faults are those of the
        residents who have a course of it: who has courses of two is in both. (no course): of everybody without any.""",
    "95 % intervals": """Proportions: Wilson. Counts over time: exact Poisson (Garwood). Medians: between order
        statistics, from 6 values on. Where there is nothing to count (no course, no day) there is no figure: -.""",
}


def texts() -> list[dict[str, str]]:
    """Terms and what they mean, for the JSON and the page."""
    return [{"term": term, "meaning": " ".join(meaning.split())} for term, meaning in _TEXTS.items()]
