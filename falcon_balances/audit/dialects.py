"""Writes journals in the formats of hledger and beancount."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from falcon_balances.audit.balances import currency_of
from falcon_balances.audit.journals import Entry, Posting
from falcon_balances.audit.standing_rows import BalanceId
from falcon_balances.domain.accounts import OF_MERCHANTS, Account
from falcon_balances.domain.money import at_full_scale


class Hledger:
    """The format of hledger, for `hledger check`; 1.25 and later."""

    _NAMES: Final = {
        Account.BANK: "assets:bank",
        Account.PSP_CLEARING: "assets:psp clearing",
        Account.MERCHANT_PENDING: "liabilities:pending",
        Account.MERCHANT_UNAPPLIED: "liabilities:unapplied",
        Account.DEBITS_UNCONFIRMED: "liabilities:debits unconfirmed",
        Account.DEBITS_UNTRACED: "liabilities:debits untraced",
        Account.MERCHANT_AVAILABLE: "liabilities:available",
        Account.PAYOUTS_IN_TRANSIT: "liabilities:payouts in transit",
        Account.MARKETPLACE_FEES: "liabilities:marketplace fees",
        Account.FEE_INCOME: "revenues:fees",
        Account.ADJUSTMENTS: "expenses:adjustments",
    }

    def heading(self, balances: Mapping[BalanceId, date]) -> str:
        exponents = {each.currency: currency_of(each).exponent for each in balances}
        lines = ["decimal-mark ."]
        for code, exponent in sorted(exponents.items()):
            # hledger needs the decimal mark even without decimals.
            sample = at_full_scale(10 ** (exponent + 3), exponent) + ("" if exponent else ".")
            lines.append(f"commodity {sample} {code}")
        lines += sorted(
            {
                f"account {self.account(account, balance)}"
                for balance in balances
                for account in Account
            }
        )
        return "\n".join(lines) + "\n"

    def transaction(self, day: str, entry: Entry, moved: list[Posting]) -> str:
        lines = [
            f"\n{day} ({_code(entry.external_reference)}) {entry.type}",
            f"    ; stage:{entry.stage}, falcon_operation_id:{entry.falcon_operation_id}",
        ]
        lines += [
            f"    {self.account(account, balance)}  {amount} {balance.currency}"
            for account, balance, amount in moved
        ]
        return "\n".join(lines) + "\n"

    def assertion(self, day: date, account: Account, balance: BalanceId, amount: str) -> str:
        name, code = self.account(account, balance), balance.currency
        return f"\n{day} balance\n    {name}  0 {code} = {amount} {code}\n"

    def account(self, account: Account, balance: BalanceId) -> str:
        name = self._NAMES[account]
        if account not in OF_MERCHANTS:
            return name
        # An id can contain a colon, which would make an account a child of another.
        merchant, shop = (
            each.replace(":", "%3A") for each in (balance.merchant_id, balance.balance_shop_id)
        )
        return f"{name}:{merchant}:{shop}"


class Beancount:
    """The format of beancount, for `bean-check`; 3 and later."""

    _NAMES: Final = {
        Account.BANK: "Assets:Bank",
        Account.PSP_CLEARING: "Assets:PspClearing",
        Account.MERCHANT_PENDING: "Liabilities:Pending",
        Account.MERCHANT_UNAPPLIED: "Liabilities:Unapplied",
        Account.DEBITS_UNCONFIRMED: "Liabilities:DebitsUnconfirmed",
        Account.DEBITS_UNTRACED: "Liabilities:DebitsUntraced",
        Account.MERCHANT_AVAILABLE: "Liabilities:Available",
        Account.PAYOUTS_IN_TRANSIT: "Liabilities:PayoutsInTransit",
        Account.MARKETPLACE_FEES: "Liabilities:MarketplaceFees",
        Account.FEE_INCOME: "Income:Fees",
        Account.ADJUSTMENTS: "Expenses:Adjustments",
    }

    def heading(self, balances: Mapping[BalanceId, date]) -> str:
        if not balances:
            return ""
        first = min(balances.values())
        lines = [
            f"{first} open {self._NAMES[each]}" for each in Account if each not in OF_MERCHANTS
        ]
        opened: dict[str, tuple[date, BalanceId]] = {}
        for balance, day in sorted(balances.items(), key=lambda each: (each[1], each[0])):
            for account in OF_MERCHANTS:
                opened.setdefault(self.account(account, balance), (day, balance))
        for name, (day, balance) in opened.items():
            lines += [
                f"{day} open {name}",
                f'  merchant_id: "{balance.merchant_id}"',
                f'  balance_shop_id: "{balance.balance_shop_id}"',
            ]
        return "\n".join(lines) + "\n"

    def transaction(self, day: str, entry: Entry, moved: list[Posting]) -> str:
        lines = [
            f'\n{day} * "{entry.type}" "{entry.external_reference}"',
            f'  stage: "{entry.stage}"',
            f'  falcon_operation_id: "{entry.falcon_operation_id}"',
        ]
        lines += [
            f"  {self.account(account, balance)}  {amount} {balance.currency}"
            for account, balance, amount in moved
        ]
        return "\n".join(lines) + "\n"

    def assertion(self, day: date, account: Account, balance: BalanceId, amount: str) -> str:
        """Dated the next day, because beancount asserts the balance at the beginning of a day;
        `~ 0` because it tolerates a cent by default.
        """
        name = self.account(account, balance)
        return f"\n{_next(day)} balance {name}  {amount} ~ 0 {balance.currency}\n"

    def account(self, account: Account, balance: BalanceId) -> str:
        name = self._NAMES[account]
        if account not in OF_MERCHANTS:
            return name
        return f"{name}:M{_component(balance.merchant_id)}:B{_component(balance.balance_shop_id)}"


def _component(text: str) -> str:
    """Letters and digits stay, other characters become numbers, so no two ids become equal."""
    return "".join(each if each.isalnum() else f"-{ord(each):02X}-" for each in text)


def _code(reference: str) -> str:
    """A code for hledger's parentheses: numbers replace characters that would end the code or begin
    a comment.
    """
    return "".join(f"%{ord(each):02X}" if each in "%();" else each for each in reference)


def _next(day: date) -> date:
    return day if day == date.max else day + timedelta(days=1)
