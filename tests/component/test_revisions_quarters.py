"""In which quarter a revision is counted that is on the stream more than once."""

from falcon_balances.contracts.stream_records import SegmentRecordV1
from tests.builders import claim_of, confirmed, records_of
from tests.component.journaling import World, record


def revisions() -> list[SegmentRecordV1]:
    """An operation and its revisions 2 and 3."""
    claims = [claim_of(confirmed(external_reference="order-9"))]
    for revision, amount in ((2, "99.00"), (3, "98.00")):
        more = {"revision": revision, "revised_at": f"2026-11-20T10:19:0{revision}Z"}
        event = confirmed(external_reference="order-9", amount=amount, **more)
        claims.append(claim_of(event).revising(claims[-1]))
    return [each for claim in claims for each in records_of(claim)]


def windows(world: World) -> list[str]:
    """The quarters of the revisions that are counted, in their order."""
    marks = sorted(world.store.marks.items())
    return [str(mark["window"])[11:16] for _, mark in marks if "window" in mark]


def test_a_revision_is_counted_from_its_first_record_if_what_it_revises_is_counted():
    """Not from a later one that has what it revises in its batch: between them there can be a cut,
    and what came before a cut is counted before it.
    """
    one, two, _ = revisions()
    world = World()
    world.reduce([record(one, 1)])
    world.reduce([record(two, 2), record(one, 901), record(two, 902)])
    assert windows(world) == ["10:15", "10:15"]


def test_a_revision_is_in_no_earlier_quarter_than_what_it_revises():
    """A killed attempt counted revision 2 from a later record, which the next one does not see."""
    one, two, three = revisions()
    records = [record(two, 1), record(one, 2), record(three, 3), record(two, 901)]
    whole = World()
    whole.reduce(records)
    for killed_at in range(1, whole.calls + 1):
        world = World(killed_at)
        assert world.is_killed(records)
        world.killed_at = None
        for some in ([records[0]], records[1:3], [record(two, 902), record(three, 903)]):
            world.reduce(some)
        found = windows(world)
        assert len(found) == 3
        assert found == sorted(found)
