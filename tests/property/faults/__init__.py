"""The faults that `tests.property.plant` puts into a copy of the code, by what they break."""

from tests.property.faults.closing import CLOSING_FAULTS
from tests.property.faults.counting import COUNTING_FAULTS
from tests.property.faults.events import EVENTS_FAULTS
from tests.property.faults.fault import Fault
from tests.property.faults.journaling import JOURNALING_FAULTS
from tests.property.faults.reading import READING_FAULTS
from tests.property.faults.sealing import SEALING_FAULTS
from tests.property.faults.spending import SPENDING_FAULTS

FAULTS: tuple[Fault, ...] = (
    *EVENTS_FAULTS,
    *COUNTING_FAULTS,
    *JOURNALING_FAULTS,
    *CLOSING_FAULTS,
    *SEALING_FAULTS,
    *SPENDING_FAULTS,
    *READING_FAULTS,
)
