import pytest

from falcon_balances.capacity.item_units import entry_of, index_units, item_bytes, write_units

ITEM = {"pk": "p", "sk": "s", "merchant": "m-1", "order": "1", "lines": "x" * 100}
KEYS = ("merchant", "order")


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({}, 0),
        ({"pk": "MERCHANT#1"}, 2 + 10),
        ({"é": "é"}, 2 + 2),
        ({"n": 0}, 1 + 1),
        ({"n": 7}, 1 + 2),
        ({"n": -7}, 1 + 3),
        ({"n": 123456}, 1 + 4),
        ({"n": 1000000}, 1 + 2),
        ({"b": b"123"}, 1 + 3),
        ({"list": []}, 4 + 3),
        ({"list": ["ab", "c"]}, 4 + 3 + 2 + 3),
        ({"map": {"a": "bc"}}, 3 + 3 + 1 + 3),
        ({"none": None, "yes": True}, 4 + 1 + 3 + 1),
    ],
)
def test_an_item_has_the_bytes_of_its_names_and_values(item, size):
    assert item_bytes(item) == size


@pytest.mark.parametrize(
    ("before", "after", "units"), [(0, 1, 1), (0, 1024, 1), (0, 1025, 2), (3000, 10, 3), (0, 0, 1)]
)
def test_a_write_costs_the_larger_size_in_kib_begun_and_double_in_a_transaction(
    before, after, units
):
    items = [{"a": "x" * (size - 1)} if size else {} for size in (before, after)]
    assert write_units(*items, in_transaction=False) == units
    assert write_units(*items, in_transaction=True) == 2 * units


def test_an_index_has_an_entry_only_of_items_with_its_keys():
    keys = {name: ITEM[name] for name in ("merchant", "order", "pk", "sk")}
    assert entry_of(ITEM, KEYS, None) == ITEM
    assert entry_of(ITEM, KEYS, ()) == keys
    assert entry_of(ITEM, KEYS, ("lines", "others")) == {**keys, "lines": ITEM["lines"]}
    assert entry_of({"pk": "p", "sk": "s", "merchant": "m"}, KEYS, ()) == {}


@pytest.mark.parametrize(
    ("changed", "includes", "units"),
    [
        ({}, None, 0),
        ({"lines": "y"}, None, 1),
        ({"lines": "y"}, (), 0),
        ({"lines": "y"}, ("lines",), 1),
        ({"lines": "y" * 1025}, None, 2),
        ({"order": "2"}, (), 2),
    ],
)
def test_an_index_costs_what_its_entries_change(changed, includes, units):
    before, after = (entry_of(item, KEYS, includes) for item in (ITEM, ITEM | changed))
    assert index_units(before, after) == units
    assert index_units({}, after) == index_units(after, {}) <= 2
