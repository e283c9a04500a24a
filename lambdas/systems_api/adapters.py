"""The adapters of the systems API, each built on first use and kept."""

from functools import cache

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.directory_ports import ContextReader
from falcon_balances.adapters.merchant_directory import (
    CachedMerchantDirectory,
    DynamoMerchantDirectory,
)
from falcon_balances.adapters.merchant_reads import DynamoMerchantReads
from falcon_balances.adapters.ports import BalanceStore, MerchantReads, RefundClaims, TransactionLog
from falcon_balances.adapters.queues import SqsQueues
from falcon_balances.adapters.refund_claims import DynamoRefundClaims
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.settings import SystemsApiSettings


@cache
def settings() -> SystemsApiSettings:
    return SystemsApiSettings.load()


@cache
def store() -> BalanceStore:
    return DynamoBalanceStore(client("dynamodb"), settings().balances_table)


@cache
def refund_claims() -> RefundClaims:
    tables = settings()
    return DynamoRefundClaims(client("dynamodb"), tables.claims_table, tables.balances_table)


@cache
def log() -> TransactionLog:
    return S3TransactionLog(client("s3"), settings().log_bucket)


@cache
def queues() -> SqsQueues:
    return SqsQueues(client("sqs"), client("cloudwatch"), settings().queue_urls)


@cache
def directory() -> ContextReader:
    return CachedMerchantDirectory(
        DynamoMerchantDirectory(client("dynamodb"), settings().context_table)
    )


def merchant_reads(merchant_id: str) -> MerchantReads:
    tables = settings()
    return DynamoMerchantReads(
        client("dynamodb"), tables.balances_table, tables.claims_table, merchant_id
    )
