"""Find a scenario by its name. A new one is a file beside this, a name in `Name` and a line here."""

from __future__ import annotations

from consumers.simulator.scenarios.courses import COURSES
from consumers.simulator.scenarios.news import NEWS
from consumers.simulator.scenarios.scenario import Scenario
from consumers.simulator.scenarios.search import SEARCH
from consumers.simulator.scenarios.shop import SHOP
from consumers.simulator.scenarios.social import SOCIAL

SCENARIOS: dict[str, Scenario] = {one.name: one for one in (NEWS, SHOP, SOCIAL, COURSES, SEARCH)}
