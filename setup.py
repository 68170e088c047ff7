"""Lay out the wheel: the client is the package `crosscurrent`, the service's source lies within it.

The service's packages have common names (`consumers`, `models`, `serving`), which must not stand in anybody's
site-packages. In a wheel they are in `crosscurrent/_service`; `crosscurrent.command` finds them there. An editable
install is for development, and shows them as they lie in the checkout.
"""

import sys

from setuptools import find_packages, setup

TOPS = ("consumers", "models", "serving")
CLIENT = {"crosscurrent": "serving/client"}
SERVICE = find_packages(include=[pattern for top in TOPS for pattern in (top, f"{top}.*")])

READERS = ["crosscurrent", *(f"crosscurrent.{name}" for name in find_packages(CLIENT["crosscurrent"]))]

if "editable_wheel" in sys.argv:
    setup(packages=[*READERS, *SERVICE], package_dir=CLIENT)
else:
    inside = {f"crosscurrent._service.{top}": top for top in TOPS}
    setup(
        packages=[*READERS, *(f"crosscurrent._service.{name}" for name in SERVICE)],
        package_dir=CLIENT | inside,
    )
