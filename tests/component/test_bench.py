"""What the bench measures does the same work as what is deployed."""

from bench.core import check_equal
from bench.environment import batch_sizes_of
from generated import events


def test_the_pure_path_and_the_whole_functions_end_in_the_same_table():
    check_equal(list(events.mixed(400, 10)), events.histories_of(10), batch_sizes_of("test"))
