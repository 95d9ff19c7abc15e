"""What `kdevops doctor --terraform` looks at: Terraform or OpenTofu, and a cloud's own command line and credentials."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from kdevops.doctor.checks import Check
from kdevops.errors import KdevopsError
from kdevops.lab.terraform import Cloud
from kdevops.paths import state_dir
from kdevops.providers.terraform.errors import complaints
from kdevops.providers.terraform.tool import TerraformTool, find_tool


@dataclass(frozen=True, slots=True)
class _Facts:
    """Of one cloud: its `command`, the address that tells how to `install` it, and where credentials may be.

    `variables`: one of these in the environment is enough. `files`: one of these is, each below the home directory, with the
    variable that names another one, or "".
    """

    command: str
    install: str
    variables: tuple[str, ...]
    files: tuple[tuple[str, str], ...] = ()


# Credentials as the clouds' providers look for them: the section "Authentication" of each in registry.terraform.io/providers.
_FACTS: Mapping[Cloud, _Facts] = {
    "aws": _Facts(
        "aws",
        "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
        ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        ((".aws/credentials", "AWS_SHARED_CREDENTIALS_FILE"), (".aws/config", "AWS_CONFIG_FILE")),
    ),
    "gce": _Facts(
        "gcloud",
        "https://cloud.google.com/sdk/docs/install",
        ("GOOGLE_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN"),
        ((".config/gcloud/application_default_credentials.json", "GOOGLE_APPLICATION_CREDENTIALS"),),
    ),
    "azure": _Facts(
        "az",
        "https://learn.microsoft.com/cli/azure/install-azure-cli",
        ("ARM_CLIENT_ID",),
        ((".azure/msal_token_cache.json", ""),),
    ),
    "oci": _Facts(
        "oci",
        "https://docs.oracle.com/iaas/Content/API/SDKDocs/cliinstall.htm",
        ("TF_VAR_tenancy_ocid",),
        ((".oci/config", ""),),
    ),
    # clouds.yaml alone is not enough: which of its clouds is meant has to be said.
    "openstack": _Facts(
        "openstack",
        "https://docs.openstack.org/python-openstackclient/latest/, or your distribution's package python3-openstackclient",
        ("OS_CLOUD", "OS_AUTH_URL"),
    ),
}


async def check_terraform(cloud: Cloud | None) -> list[Check]:
    """A line for the tool, and with a cloud one for its own command line and one for credentials; one more where the two differ.

    Of credentials only their existence is looked at: whether they are good, only the cloud knows.
    """
    tool = await _check_tool()
    if not cloud:
        return [tool]
    accounts = _check_profile() if cloud == "oci" else ()
    return [tool, _check_command(cloud), _check_credentials(cloud), *accounts]


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


def _check_command(cloud: Cloud) -> Check:
    facts = _FACTS[cloud]
    if found := shutil.which(facts.command):
        return Check(facts.command, ok=True, detail=found, needed=False)
    detail = "missing: without it nobody can tell whether machines run, read their consoles or reset them"
    return Check(facts.command, ok=False, detail=detail, mend=f"install it, see {facts.install}", needed=False)


def _check_credentials(cloud: Cloud) -> Check:
    name, facts = f"credentials of {cloud}", _FACTS[cloud]
    advice = next(each for each in complaints() if each.name == f"{cloud}-none")
    files = [Path(os.environ.get(variable) or Path.home() / path) for path, variable in facts.files]
    seen = [
        *(each for each in facts.variables if os.environ.get(each)),
        *(str(file) for file in files if file.exists()),
    ]
    if seen:
        return Check(name, ok=True, detail=f"there, in {', '.join(seen)}", needed=False)
    looked = ", ".join([*facts.variables, *map(str, files)])
    return Check(
        name, ok=False, detail=f"{advice.message}, as far as can be seen in {looked}", mend=advice.hint, needed=False
    )


def _check_profile() -> tuple[Check, ...]:
    """A line where Oracle's command and Terraform's provider would use different profiles of ~/.oci/config.

    The provider looks for its `config_file_profile` where internal/provider/provider.go of oracle/terraform-provider-oci says.
    """
    of_terraform = ("TF_VAR_config_file_profile", "OCI_CONFIG_FILE_PROFILE")
    wanted = next((each for name in of_terraform if (each := os.environ.get(name))), "DEFAULT")
    if (os.environ.get("OCI_CLI_PROFILE") or "DEFAULT") == wanted:
        return ()
    detail = "the oci command obeys OCI_CLI_PROFILE, Terraform OCI_CONFIG_FILE_PROFILE, and here they name different profiles"
    mend = "name the profile in the lab file, provider.variables.profile, which both obey"
    return (Check("profile of oci", ok=False, detail=detail, mend=mend, needed=False),)
