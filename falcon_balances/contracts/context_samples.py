"""The merchants of the published samples."""

from collections.abc import Mapping
from typing import Any, Final

Document = dict[str, Any]


def _context(psp_id: str, local: str, merchant_id: str, currency: str, *fees: Document) -> Document:
    return {
        "schema_version": "1",
        "psp_id": psp_id,
        "local_merchant_id": local,
        "shop_id": f"shop-{local}",
        "merchant_id": merchant_id,
        "balance_shops": {currency: f"bs-{merchant_id}-{currency.lower()}"},
        "status": "active",
        "effective_from": "2026-01-01T00:00:00Z",
        "fees": list(fees),
    }


def _fee(percent: str, on: str = "capture", **amounts: Mapping[str, str]) -> Document:
    return {"type": "psp_fee", "on": on, "percent": percent, **amounts}


CONTEXT_SAMPLES: Final[dict[str, Document]] = {
    "book-shop": _context("demo-psp-ro", "5553", "m-books", "EUR", _fee("1.00")),
    "ticket-shop": _context(
        "demo-psp-ro",
        "5560",
        "m-tickets",
        "EUR",
        _fee("1.50", fixed={"EUR": "0.10"}, min={"EUR": "0.25"}, max={"EUR": "20.00"}),
        _fee("0.00", on="refund", fixed={"EUR": "0.30"}),
    )
    | {"risk": "high"},
    "yen-shop": _context("demo-psp-jp", "6000", "m-yen", "JPY", _fee("3.60")),
    "dinar-shop": _context(
        "demo-psp-bh", "6100", "m-dinar", "BHD", _fee("2.25", fixed={"BHD": "0.100"})
    ),
    "marketplace": _context("demo-psp-ro", "9000", "m-market", "EUR"),
    "seller-of-crafts": _context("demo-psp-ro", "9001", "m-crafts", "EUR", _fee("1.50")),
    "seller-of-toys": _context("demo-psp-ro", "9002", "m-toys", "EUR"),
    "closed-shop": _context("demo-psp-ro", "7000", "m-closed", "EUR") | {"status": "inactive"},
}
