import pickle

from falcon_balances.domain.errors import RejectedOperation, RejectionCode

IN_THE_ORDER_OF_THE_DESIGN = """
E_SIZE E_JSON E_DUP_KEY E_DEPTH E_VERSION E_SCHEMA E_ID E_AMOUNT E_CURRENCY E_SCALE E_DATE E_FUTURE
E_SPLIT_SUM E_MODE E_UNKNOWN_MERCHANT E_MERCHANT_INACTIVE E_NO_BALANCE_SHOP E_NOT_PAID E_REVISION
E_ID_CONFLICT E_RECORD
"""


def test_codes_are_looked_for_in_the_order_of_the_design():
    ordered = sorted(RejectionCode, key=lambda code: code.precedence)
    assert ordered == IN_THE_ORDER_OF_THE_DESIGN.split()


def test_a_rejection_survives_a_process_border():
    rejected = RejectedOperation(RejectionCode.ID, "psp_id: no")
    copied = pickle.loads(pickle.dumps(rejected))  # noqa: S301 - our own bytes
    assert (copied.code, copied.reason, str(copied)) == ("E_ID", "psp_id: no", "E_ID: psp_id: no")
