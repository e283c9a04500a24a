"""References that lines link."""

from falcon_balances.domain.cases import Links


class _Counted(dict[int, int]):
    gets = 0

    def get(self, key, default=None):
        self.gets += 1
        return super().get(key, default)


def test_all_keys_of_a_chain_have_its_smallest_as_their_root():
    links = Links()
    for key in range(20, 0, -1):
        links.link([key, key - 1])
    assert {links.root(key) for key in range(21)} == {0}
    assert links.root(99) == 99


def test_a_chain_of_links_is_near_linear():
    links, length = Links(), 20_000
    counted = links._parents = _Counted()
    for key in range(length, 0, -1):
        links.link([key, key - 1])
    for key in range(length + 1):
        links.root(key)
    assert counted.gets < 10 * length
