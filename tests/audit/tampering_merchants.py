"""What somebody who has the key can do to the tree of merchants, and where it must be found.

Each forges one manifest whole: its leaves hash to a root that is signed, and its tree is as the
sealer would go on from a tree that is not the one of the manifest before.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from falcon_balances.domain.log_keys import merchant_of
from falcon_balances.domain.manifests import Head, Manifest, Sealed, seal
from falcon_balances.domain.merchant_branch import SealedLine, value_of_line
from falcon_balances.domain.merkle import leaf_hash, root_of
from falcon_balances.domain.sealed_objects import SealedObject, canonical
from tests.audit.sealed import SHARD, SealedLog, at_page, lines_in, sealed_objects, sign
from tests.audit.tampering import MANIFESTS, lines_of, rewrite
from tests.audit.tampering_manifests import name_of

OF_THE_TREE_LINES = (b'"leaf":"branch"', b'"leaf":"merchant"', b'"leaf":"merchants"')
Children = dict[str, list[str | int]]


def state(sealed: SealedLog, number: int) -> Sealed:
    return Sealed.read((sealed.manifests / name_of(number)).read_bytes())


def children_of(before: Sealed) -> Children:
    assert before.root is not None
    return {each[0]: each for each in json.loads(before.lines[before.root])["children"]}


def with_children(before: Sealed, children: Children) -> Sealed:
    """As if the last manifest's root had these children."""
    assert before.root is not None
    document = json.loads(before.lines[before.root]) | {"children": sorted(children.values())}
    line = canonical(document)
    root = SealedLine(value_of_line(line, document), before.root.sequence, 0, len(line))
    return replace(before, root=root, lines={**before.lines, root: line})


def new_objects(sealed: SealedLog, number: int) -> list[SealedObject]:
    leaves = [each for each in sealed.heads[number - 1].leaves if b'"leaf":"object"' in each]
    keys = [json.loads(each)["key"] for each in leaves]
    return list(sealed_objects({key: (sealed.log / key).read_bytes() for key in keys}))


def sealed_from(
    sealed: SealedLog, number: int, before: Sealed, objects: Sequence[SealedObject]
) -> Manifest:
    until = sealed.heads[number - 1].head.sealed_until
    read = partial(lines_in, sealed.heads)
    return seal(
        "log-bucket", before, objects, until, bytes([number]) * 32, {SHARD: at_page(number)}, read
    )[0]


def put(sealed: SealedLog, stack, manifest: Manifest) -> set[str]:
    """The places that are to be found: the lines of merchants and branches."""
    path = sealed.manifests / name_of(manifest.head.sequence)
    rewrite(stack, path, manifest.signed(sign(manifest.head.line())))
    return {
        f"{path.name}, line {number}"
        for number, line in enumerate(lines_of(path), start=1)
        if any(each in line for each in OF_THE_TREE_LINES)
    }


def forged_from(change: Callable[[Sealed, Sealed, Children], Sealed], sealed, rng, stack):
    """A manifest that goes on from the changed tree of the one before it, and an older tree."""
    number = rng.randrange(3, MANIFESTS + 1)
    before, older = state(sealed, number - 1), state(sealed, rng.randrange(1, number - 1))
    changed = change(before, older, children_of(before))
    return put(sealed, stack, sealed_from(sealed, number, changed, new_objects(sealed, number)))


def a_stale_tree(sealed, rng, stack):
    """All that moved in between is taken back."""
    return forged_from(
        lambda before, older, _: replace(before, root=older.root, lines=older.lines),
        *(sealed, rng, stack),
    )


def a_branch_of_an_earlier_manifest(sealed, rng, stack):
    def change(before: Sealed, older: Sealed, children: Children) -> Sealed:
        others = children_of(older)
        stale = [each for each in children if others.get(each) not in (None, children[each])]
        digit = rng.choice(sorted(stale))
        return with_children(before, children | {digit: others[digit]})

    return forged_from(change, sealed, rng, stack)


def a_branch_at_another_place(sealed, rng, stack):
    """Refused by the sealer's own code, so the lines are exchanged in the finished manifest."""
    return edited(sealed, rng, stack, b'"leaf":"branch"', exchanged_children)


def merchants_dropped_from_the_tree(sealed, rng, stack):
    def change(before: Sealed, _older: Sealed, children: Children) -> Sealed:
        del children[rng.choice(sorted(children))]
        return with_children(before, children)

    return forged_from(change, sealed, rng, stack)


def a_merchant_moved_silently(sealed, rng, stack):
    """Its leaf goes on, and no object of the manifest says why."""
    number = rng.randrange(2, MANIFESTS + 1)
    objects = new_objects(sealed, number)
    added = replace(rng.choice(objects), version_id="another")
    manifest = sealed_from(sealed, number, state(sealed, number - 1), [*objects, added])
    leaves = [each for each in manifest.leaves if each != added.leaf()]
    return put(sealed, stack, rehashed(manifest.head, leaves))


def a_merchant_left_out(sealed, rng, stack):
    """Its objects are sealed, and its leaf stays what it was."""
    number = rng.randrange(2, MANIFESTS + 1)
    objects = new_objects(sealed, number)
    hidden = merchant_of(rng.choice(objects).key)
    shown = [each for each in objects if merchant_of(each.key) != hidden]
    manifest = sealed_from(sealed, number, state(sealed, number - 1), shown)
    others = [each for each in manifest.leaves if b'"leaf":"object"' not in each]
    leaves = [*others, *(each.leaf() for each in sorted(objects, key=lambda each: each.key))]
    put(sealed, stack, rehashed(manifest.head, leaves))
    return {name_of(number)}


def a_pointer_to_another_line(sealed, rng, stack):
    return edited(sealed, rng, stack, b'"leaf":"branch"', moved_pointer)


def a_pointer_to_the_line_of_another(sealed, rng, stack):
    """Where another child of the branch is, or another line of its manifest."""

    def exchanged(document, rng):
        one, *others = rng.sample(document["children"], len(document["children"]))
        others = [each[2:] for each in others] or [[one[2], 0, 10]]
        one[2:] = rng.choice(others)

    return edited(sealed, rng, stack, b'"leaf":"branch"', exchanged)


def a_seed_that_is_null(sealed, rng, stack):
    """Without a seed, no place of a merchant can be checked."""

    def seedless(document, _rng):
        document["seed"] = None

    return edited(sealed, rng, stack, b'"leaf":"summary"', seedless)


def a_leaf_whose_kind_is_a_list(sealed, rng, stack):
    def listed(document, rng):
        document["leaf"] = rng.choice([[document["leaf"]], [], [[[]]], {}])

    return edited(sealed, rng, stack, b'"blind":', listed)


def repeated(leaf_of: Callable[[list[bytes]], bytes], sealed, rng, stack):
    """A merchant that did not move has one more leaf, in a manifest that is whole otherwise."""
    number = rng.randrange(3, MANIFESTS + 1)
    manifest = sealed.heads[number - 1]
    own = {json.loads(each).get("merchant_id") for each in manifest.leaves}
    earlier: dict[str, list[bytes]] = {}
    for leaf in (leaf for each in sealed.heads[: number - 1] for leaf in each.leaves):
        if b'"leaf":"merchant"' in leaf:
            earlier.setdefault(json.loads(leaf)["merchant_id"], []).append(leaf)
    several = [each for each, some in sorted(earlier.items()) if len(set(some)) > 1]
    others = [each for each in several if each not in own] or several
    leaf = leaf_of(earlier[rng.choice(others)])
    place = next(n for n, each in enumerate(manifest.leaves) if b'"leaf":"merchants"' in each)
    leaves = [*manifest.leaves[:place], leaf, *manifest.leaves[place:]]
    put(sealed, stack, rehashed(manifest.head, leaves))
    return {f"{name_of(number)}, line {place + 3}"}


def an_older_leaf_repeated(sealed, rng, stack):
    return repeated(lambda some: some[0], sealed, rng, stack)


def a_repeated_leaf_with_another_blind(sealed, rng, stack):
    def blinded_anew(some: list[bytes]) -> bytes:
        return canonical(json.loads(some[-1]) | {"blind": "ab" * 32})

    return repeated(blinded_anew, sealed, rng, stack)


def another_root_of_all_merchants(sealed, rng, stack):
    def another_root(document, _rng):
        document["root"] = leaf_hash(document["root"].encode()).hex()

    return edited(sealed, rng, stack, b'"leaf":"merchants"', another_root)


def another_chain(sealed, rng, stack):
    def another(document, _rng):
        document["chain"] = leaf_hash(document["chain"].encode()).hex()

    return edited(sealed, rng, stack, b'"leaf":"merchant"', another)


def exchanged_children(document, rng):
    children = document["children"]
    if len(children) == 1:
        document["prefix"] += "0"
        return
    one, other = rng.sample(children, 2)
    one[0], other[0] = other[0], one[0]
    children.sort()


def moved_pointer(document, rng):
    rng.choice(document["children"])[rng.randrange(2, 5)] += 1


def edited(sealed, rng, stack, kind, change):
    """One line is changed in its content, and the manifest signed again."""
    number = rng.randrange(1, MANIFESTS + 1)
    manifest = sealed.heads[number - 1]
    leaves = list(manifest.leaves)
    place = rng.choice([n for n, each in enumerate(leaves) if kind in each])
    document = json.loads(leaves[place])
    change(document, rng)
    leaves[place] = canonical(document)
    put(sealed, stack, rehashed(manifest.head, leaves))
    return {f"{name_of(number)}, line {place + 3}"}


def rehashed(head: Head, leaves: Sequence[bytes]) -> Manifest:
    return Manifest(replace(head, root=root_of(map(leaf_hash, leaves)).hex()), leaves)


OF_THE_TREE = [
    a_stale_tree,
    a_branch_of_an_earlier_manifest,
    a_branch_at_another_place,
    merchants_dropped_from_the_tree,
    a_merchant_moved_silently,
    a_merchant_left_out,
    a_pointer_to_another_line,
    a_pointer_to_the_line_of_another,
    a_seed_that_is_null,
    an_older_leaf_repeated,
    a_repeated_leaf_with_another_blind,
    a_leaf_whose_kind_is_a_list,
    another_root_of_all_merchants,
    another_chain,
]
