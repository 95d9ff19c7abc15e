"""Write a lab with the kernel that all tests share: write_lab.py NAME FIELDS, the lab's own fields as JSON, to stdout.

All scenarios share one image with all packages that the roles need: guests cannot reach the distribution's mirrors.
"""

import json
import sys

import yaml

from kdevops.lab.servers import ROLES
from kdevops.paths import data_dir
from kdevops.suites.fstests.needs import guest_needs
from tests.support.shared_lab import shared_lab

name, fields = sys.argv[1:]
lab = shared_lab() | {"name": name} | json.loads(fields)
selftests = yaml.safe_load((data_dir("roles") / "selftests/vars/debian.yml").read_text())["selftests_packages"]
packages = {*guest_needs(("nfs", "cifs"), servers=ROLES).packages, *selftests}
lab["guests"]["image"] = {"packages": sorted(packages)}
yaml.safe_dump(lab, sys.stdout)
