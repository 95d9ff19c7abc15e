"""The checks of `kdevops doctor --terraform`: Terraform or OpenTofu, a cloud's command-line tool and credentials."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from kdevops.doctor.checks import Check
from kdevops.errors import KdevopsError
from kdevops.lab.cloud import CloudFacts, facts_of
from kdevops.paths import state_dir
from kdevops.providers.terraform.tool import TerraformTool, find_tool


async def check_terraform(cloud: str | None) -> list[Check]:
    """Check the tool and, for a cloud, its command-line tool, its credentials, and that both use the same profile.

    Only the existence of credentials is checked; only the cloud knows whether they are valid. Raises UserError if the
    cloud's facts cannot be read.
    """
    tool = await _check_tool()
    if not cloud:
        return [tool]
    facts = facts_of(cloud)
    return [tool, _check_command(facts), _check_credentials(cloud, facts), *_check_profile(facts)]


async def _check_tool() -> Check:
    name = "terraform or tofu"
    try:
        binary = find_tool(None)
        with TemporaryDirectory(prefix="kdevops-") as nowhere:
            log = state_dir() / "logs/doctor-terraform.log"
            told = await TerraformTool(binary, Path(nowhere), log, Path(nowhere)).check_version()
        return Check(name, ok=True, detail=f"{told}, {binary}")
    except KdevopsError as error:
        return Check(name, ok=False, detail=error.message, mend=error.hint or "")


def _check_command(facts: CloudFacts) -> Check:
    if found := shutil.which(facts.command):
        return Check(facts.command, ok=True, detail=found, needed=False)
    detail = "missing: needed to tell whether machines run, to read their consoles and to reset them"
    return Check(facts.command, ok=False, detail=detail, mend=f"install it, see {facts.install}", needed=False)


def _check_credentials(cloud: str, facts: CloudFacts) -> Check:
    name, places = f"credentials of {cloud}", facts.credentials
    files = [Path(os.environ.get(each.variable or "") or Path.home() / each.path) for each in places.files]
    seen = [
        *(each for each in places.variables if os.environ.get(each)),
        *(str(file) for file in files if file.exists()),
    ]
    if seen:
        return Check(name, ok=True, detail=f"found in {', '.join(seen)}", needed=False)
    advice = facts.without_credentials
    looked = ", ".join([*places.variables, *map(str, files)])
    return Check(name, ok=False, detail=f"{advice.message}; looked in {looked}", mend=advice.hint, needed=False)


def _check_profile(facts: CloudFacts) -> tuple[Check, ...]:
    """A note if the cloud's command and its Terraform provider would use different profiles."""
    profile = facts.profile
    if not profile or _first(profile.command, profile.default) == _first(profile.terraform, profile.default):
        return ()
    detail = (
        f"the {facts.command} command uses {profile.command[-1]}, Terraform uses {profile.terraform[-1]}, "
        "and they name different profiles"
    )
    return (Check(f"profile of {facts.command}", ok=False, detail=detail, mend=profile.mend, needed=False),)


def _first(variables: Sequence[str], default: str) -> str:
    return next((value for name in variables if (value := os.environ.get(name))), default)
