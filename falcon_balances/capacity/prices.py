"""The dated table of AWS's list prices, `prices.json`, in US dollars."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Prices:
    """`per_million`: of requests and units; `per_gb`: of 10^9 bytes. Months have 730 hours."""

    date: str
    region: str
    currency: str
    source: str
    per_million: Mapping[str, float]
    per_hour: Mapping[str, float]
    per_gb: Mapping[str, float]
    per_gb_month: Mapping[str, float]


@cache
def list_prices() -> Prices:
    text = (files("falcon_balances.capacity") / "prices.json").read_text(encoding="utf-8")
    return Prices(**json.loads(text))
