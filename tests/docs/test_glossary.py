"""One name for one thing: classes and documents use the words of docs/glossary.md."""

import ast
import importlib
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from pydantic import BaseModel

import falcon_balances.contracts
from tests.docs.pages import ROOT, pages, tracked

# Programs of their own: they share no name with the product, and it shares none with them.
PRODUCT: Final = ("falcon_balances/", "lambdas/", "reference/")
# It stands on its own and imports nothing of ours, so it may call its things as we do.
VERIFIER: Final = "falcon_balances/audit/verifier/"
# Whose classes are met everywhere.
SHARED: Final = tuple(f"falcon_balances/{name}/" for name in ("domain", "contracts", "adapters"))
# A bank's statement and a merchant's are two things; camt.053 is the format of the first.
WHOSE: Final = ("Bank", "Merchant", "Camt053")
# What other systems call things for which the glossary has a word.
SYNONYMS: Final[Mapping[str, str]] = {
    "hold": "block",
    "reservation": "block",
    "reserve": "block",
    "wallet": "balance",
    "ledger": "transaction log",
    "txn": "operation",
    "payin": "capture",
    "vendor": "merchant",
    "tenant": "merchant",
    "checkpoint": "cut",
    "watermark": "as_of",
    "dispute": "chargeback",
}
# It counts BalanceOperations, so it stands beside figures or sums of lines, and nowhere else.
COUNTS_LINES: Final = "operations_count"
SUMS_OF_LINES: Final = {"available", "available_before_blocks", "sums"}


class Named(NamedTuple):
    """A class or a field, and where it is."""

    name: str
    place: str


def classes() -> Iterator[Named]:
    for path in sorted(tracked()):
        if path.endswith(".py") and path.startswith(PRODUCT) and not path.startswith(VERIFIER):
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
            for node in tree.body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    yield Named(node.name, path)


def models() -> list[type[BaseModel]]:
    package = falcon_balances.contracts
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    found: list[type[BaseModel]] = []
    waiting: list[type[BaseModel]] = [BaseModel]
    while waiting:
        for model in waiting.pop().__subclasses__():
            waiting.append(model)
            if model.__module__.startswith(package.__name__):
                found.append(model)
    return found


def fields() -> list[Named]:
    return [Named(name, model.__name__) for model in models() for name in model.model_fields]


def words(name: str) -> list[str]:
    """`BlockStatus` and `block_status` are two words each."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)]


# The rules, each as what breaks it


def twice(named: Sequence[Named]) -> dict[str, list[str]]:
    """Names of the shared packages that a second class has, wherever it is."""
    places = defaultdict(list)
    for each in named:
        places[each.name].append(each.place)
    return {
        name: found
        for name, found in places.items()
        if len(found) > 1 and any(place.startswith(SHARED) for place in found)
    }


def of_nobody(named: Sequence[Named]) -> list[Named]:
    """Statements that do not say whose they are."""
    return [
        each
        for each in named
        if "Statement" in each.name and not any(f"{who}Statement" in each.name for who in WHOSE)
    ]


def foreign(named: Sequence[Named]) -> list[tuple[Named, str]]:
    """Names that have another word for a thing of the glossary."""
    return [
        (each, SYNONYMS[word]) for each in named for word in words(each.name) if word in SYNONYMS
    ]


def unknown_ids(named: Sequence[Named], glossary: str) -> list[Named]:
    """Ids of documents that the glossary does not explain."""
    explained = set(re.findall(r"[a-z_]+_id\b", glossary))
    return [each for each in named if each.name.endswith("_id") and each.name not in explained]


def counts_elsewhere(named: Sequence[Named]) -> list[str]:
    """Models that have it without figures or sums of lines."""
    of_model = defaultdict(set)
    for each in named:
        of_model[each.place].add(each.name)
    return [
        model
        for model, names in of_model.items()
        if COUNTS_LINES in names and not names & SUMS_OF_LINES
    ]


def test_every_class_has_a_name_of_its_own():
    found = list(classes())
    assert len(found) > 200
    assert twice(found) == {}


def test_a_statement_says_whose_it_is():
    assert of_nobody(list(classes())) == []


def test_names_are_the_glossary_s():
    every = [*classes(), *fields()]
    assert len(every) > 600
    assert foreign(every) == []


def test_every_word_that_stands_for_another_is_one_of_the_glossary():
    glossary = pages()["docs/glossary.md"].lower()
    assert [word for word in SYNONYMS.values() if word not in glossary] == []


def test_ids_of_documents_are_explained():
    assert unknown_ids(fields(), pages()["docs/glossary.md"]) == []


def test_operations_count_counts_lines():
    assert counts_elsewhere(fields()) == []


def test_each_rule_finds_what_breaks_it():
    domain = "falcon_balances/domain/balances.py"
    assert twice([Named("Balance", domain), Named("Balance", "b.py"), Named("Cut", domain)]) == {
        "Balance": [domain, "b.py"]
    }
    assert of_nobody([Named("StatementLine", "a.py"), Named("BankStatementLine", "b.py")]) == [
        Named("StatementLine", "a.py")
    ]
    wrong = [Named("HoldV1", "a.py"), Named("ledger_key", "B"), Named("Threshold", "c.py")]
    assert [(each.name, word) for each, word in foreign(wrong)] == [
        ("HoldV1", "block"),
        ("ledger_key", "transaction log"),
    ]
    assert unknown_ids([Named("wallet_id", "A"), Named("psp_id", "B")], "psp_id: who") == [
        Named("wallet_id", "A")
    ]
    assert counts_elsewhere(
        [Named(COUNTS_LINES, "Sum"), Named(COUNTS_LINES, "Figures"), Named("available", "Figures")]
    ) == ["Sum"]
