"""The scenario of the API reference: the least that shows every operation, and each kind of error.

A new operation needs one `Step` in one of its parts, and one more for each of its answers worth
showing. A test names the operations that have none.
"""

from tandem_tools.contract.reference.callers import PROCESSING
from tandem_tools.contract.reference.files import FILES
from tandem_tools.contract.reference.operators import OPERATING
from tandem_tools.contract.reference.refused import REFUSED
from tandem_tools.contract.reference.steps import Action, Step

SCENARIO: list[Step | Action] = [*PROCESSING, *FILES, *REFUSED, *OPERATING]
"""In the order in which it is played, each part on what the ones before have kept. The page orders
it by operation."""
