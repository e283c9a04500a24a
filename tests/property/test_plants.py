"""Each planted fault has its place in the code, so that none is passed over when code moves."""

import pytest

from tests.property.faults import FAULTS
from tests.property.plant import ROOT


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_has_its_one_place(fault):
    assert (ROOT / fault.path).read_text().count(fault.before) == 1
    assert fault.before != fault.after
    assert all((ROOT / test.partition("::")[0]).exists() for test in fault.first)


def test_no_two_faults_have_the_same_name():
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)
